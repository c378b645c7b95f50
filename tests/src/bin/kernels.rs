//! dev
fn main() -> anyhow::Result<()> {
    use rt0_tests::{job::Job, kernel::*};
    let jobs: Vec<Job> = (0..1000).map(|i| Job::new(format!("j{i}"), "/tmp/labdev/t", &[]).limited(64 << 20)).collect();
    let b = linux::run(Kernel::Amd64, "/tmp/labdev/init".as_ref(), &jobs, 10, &mut |_| ())?;
    println!("{:?} {:?} {:?} {} {:?}", b.outcomes[0], b.to_init, b.total, b.lines, b.outcomes.iter().filter(|o| o.end == rt0_tests::job::End::Exit(0)).count());
    Ok(())
}
