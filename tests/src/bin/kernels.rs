//! dev
fn main() -> anyhow::Result<()> {
    use rt0_tests::{job::*, kernel::*, port::*, sweep::*};
    use std::str::FromStr;
    let a: Vec<String> = std::env::args().collect();
    let port = Port::from_str(&a[1]).unwrap();
    let dist = std::path::Path::new("dist");
    let runs = runs(port, &port.program(dist, "limits"), if a.len() > 3 { Extent::Whole } else { Extent::Thin }, 1);
    let jobs: Vec<Job> = runs.iter().map(|r| r.job.clone()).collect();
    let outcomes = match a[2].as_str() {
        "native" => rt0_tests::native::run(&jobs, 10, &mut |_| ())?,
        k => {
            let kernel = Kernel::ALL.into_iter().find(|x| x.architecture() == k).unwrap();
            let init = match kernel {
                Kernel::I386 => Port::linux_386,
                Kernel::Amd64 => Port::linux_amd64,
                Kernel::Armhf => Port::linux_arm,
            };
            let b = linux::run(kernel, &init.program(dist, "init"), &jobs, 10, &mut |_| ())?;
            println!("{:?} {:?} {}", b.to_init, b.total, b.lines);
            b.outcomes
        }
    };
    let broken = check_all(&runs, &outcomes);
    println!("{} jobs, {} broken", jobs.len(), broken.len());
    for b in broken.iter().take(15) {
        println!("{b}");
    }
    Ok(())
}
