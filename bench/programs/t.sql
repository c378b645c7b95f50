create table t(a integer primary key, b text, c text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
insert into t select i, hex(randomblob(8)), 'v' || i from n;
create index ti on t(b);
select count(*), c from t where b like 'A%' group by substr(b, 1, 3);
select a.c from t a join t b on a.b = b.b order by a.c limit 10;
