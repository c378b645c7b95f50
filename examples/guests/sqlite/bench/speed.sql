-- Inserts, an index, joins, updates, deletes and a vacuum: after SQLite's own speedtest1, in memory.
pragma cache_size = -20000;
create table a(id integer primary key, number integer, text text);
create table b(id integer primary key, a integer, value real);
begin;
with recursive n(x) as (select 1 union all select x + 1 from n where x < 120000)
  insert into a(number, text) select (x * 7919) % 100003, 'row number ' || x || ' of the table' from n;
with recursive n(x) as (select 1 union all select x + 1 from n where x < 60000)
  insert into b(a, value) select (x * 31) % 120000 + 1, x * 0.5 from n;
commit;
create index a_number on a(number);
create index a_text on a(text);
select count(*), sum(number) from a where number between 1000 and 50000;
select count(*), sum(b.value) from b join a on a.id = b.a where a.number % 3 = 0;
select number % 100 as bucket, count(*), max(text) from a group by bucket order by 2 desc, 1 limit 5;
begin;
update a set text = upper(text) where number % 5 = 0;
update b set value = value + 1 where id % 2 = 0;
delete from a where number % 11 = 0;
commit;
select count(*), length(group_concat(text, '')) from a where text like 'ROW%';
select a.text from a order by text desc limit 3;
vacuum;
pragma integrity_check;
