//! What FreeBSD's kernels answered to `probe table`, so that a kernel and its double are held against the same facts.
//!
//! An answer stands here only if it was observed on that kernel, or if a source is named that decides it; all others are
//! not recorded and not compared.

/// A kernel, and how it runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// 10.4 for amd64, a 64-bit program.
    Amd64Of10 = 0,
    /// 10.4 for i386.
    I386Of10 = 1,
    /// 11.1 for amd64, a 64-bit program.
    Amd64Of11 = 2,
    /// 11.1 for amd64, a 32-bit program (COMPAT_FREEBSD32).
    Compat32Of11 = 3,
    /// 11.1 for i386.
    I386Of11 = 4,
}

impl Column {
    /// All of them.
    pub const ALL: [Column; 5] =
        [Column::Amd64Of10, Column::I386Of10, Column::Amd64Of11, Column::Compat32Of11, Column::I386Of11];

    /// The column of a kernel that names its version like this ("FreeBSD 11.1-RELEASE"), for a program with words of
    /// this many bits; `None` if nothing is recorded of it.
    #[must_use]
    pub fn of(version: &str, i386_kernel: bool, bits: u32) -> Option<Column> {
        let release = version.strip_prefix("FreeBSD ")?;
        match (release.starts_with("10.4"), release.starts_with("11.1"), i386_kernel, bits) {
            (true, _, false, 64) => Some(Column::Amd64Of10),
            (true, _, true, 32) => Some(Column::I386Of10),
            (_, true, false, 64) => Some(Column::Amd64Of11),
            (_, true, false, 32) => Some(Column::Compat32Of11),
            (_, true, true, 32) => Some(Column::I386Of11),
            _ => None,
        }
    }
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name in the output of `probe table`.
    pub question: &'static str,
    /// The answers, by [`Column`]; `None` is not recorded.
    pub answers: [Option<&'static str>; 5],
    /// `[run]`: observed on these kernels. Otherwise FreeBSD's file and function.
    pub source: &'static str,
}

const fn row(question: &'static str, answers: [Option<&'static str>; 5], source: &'static str) -> Row {
    Row { question, answers, source }
}

const fn same(question: &'static str, answer: &'static str, source: &'static str) -> Row {
    row(question, [Some(answer); 5], source)
}

/// Answers that depend on the CPU: of amd64 kernels to 64-bit programs, to 32-bit ones, and of i386 kernels.
const fn by_cpu(question: &'static str, answers: [&'static str; 3], source: &'static str) -> Row {
    let [amd64, compat32, i386] = answers;
    row(question, [Some(amd64), Some(i386), Some(amd64), Some(compat32), Some(i386)], source)
}

/// The table, in the order of `probe table`.
pub const TABLE: &[Row] = &[
    by_cpu("canarylen", ["64", "64", "32"], "[run]"),
    by_cpu("pagesizeslen", ["24", "12", "8"], "[run]"),
    row("stackprot", [None, Some("7"), None, None, Some("7")], "[run]"),
    same("timekeep", "present", "[run]"),
    same("hwcap", "absent", "[run]"),
    same("stack-soft", "8", "[run], MiB"),
    row("stack-hard", [Some("512"), Some("64"), Some("1024"), Some("64"), Some("64")], "[run], MiB"),
    row("data-soft", [None, Some("128"), None, None, Some("128")], "[run], MiB"),
    same("rlimit-5", "finite", "sys/kern/init_main.c, proc0_init: RLIMIT_RSS"),
    same("rlimit-6", "finite", "sys/kern/init_main.c, proc0_init: RLIMIT_MEMLOCK"),
    same("rlimit-7", "finite", "sys/kern/init_main.c, proc0_init: RLIMIT_NPROC"),
    same("rlimit-8", "finite", "sys/kern/init_main.c, proc0_init: RLIMIT_NOFILE"),
    same("map-0x20", "ok", "[run]"),
    same("map-0x40", "ok", "[run]"),
    row("map-32bit", [Some("ok"), None, Some("ok"), Some("ok"), None], "[run]"),
    same("map-aligned-16", "ok", "sys/vm/vm_mmap.c, kern_mmap"),
    row("map-aligned-40", [None, Some(EINVAL), None, Some("ENOMEM (12)"), Some(EINVAL)], "sys/vm/vm_mmap.c, kern_mmap"),
    same("map-aligned-70", EINVAL, "sys/vm/vm_mmap.c, kern_mmap"),
    same("map-hint", "moved", "[run]"),
    same("mprotect-nothing", "ok", "sys/vm/vm_map.c, vm_map_protect"),
    same("mincore-nothing", "ok", "sys/vm/vm_mmap.c, kern_mincore"),
    same("thr_exit", "ok", "[run]"),
    same("thr_new-null", "EFAULT (14)", "sys/kern/kern_thr.c, sys_thr_new: copyin"),
    row(
        "_umtx_op-0",
        [
            Some("EFAULT (14)"),
            Some("EFAULT (14)"),
            Some("EOPNOTSUPP (45)"),
            Some("EOPNOTSUPP (45)"),
            Some("EOPNOTSUPP (45)"),
        ],
        "[run]",
    ),
    same("getrandom", "signal 12", "[run]"),
    same("link", "exists", "[run]"),
    same("getuid", "exists", "[run]"),
    same("ktrace", "exists", "[run]"),
    same("sbrk", "exists", "[run]"),
    same("setpriority", "exists", "[run]"),
    same("getrusage", "exists", "[run]"),
    same("rename", "exists", "[run]"),
    same("stat", "exists", "[run]"),
    same("stack-3-mib", "1", "below stack-soft, whatever a frame takes"),
    same("stack-9-mib", "signal 11", "[run]: beyond stack-soft"),
];

const EINVAL: &str = "EINVAL (22)";

/// What of the output of `probe table` differs from the answers in a column.
#[must_use]
pub fn differences(column: Column, output: &str) -> Vec<String> {
    let answer = |question: &str| output.lines().find_map(|line| line.strip_prefix(question)?.strip_prefix('='));
    let recorded = TABLE.iter().filter_map(|row| Some((row, row.answers[column as usize]?)));
    let differing = recorded.filter(|(row, wanted)| answer(row.question) != Some(*wanted));
    differing
        .map(|(row, wanted)| {
            let told = answer(row.question).unwrap_or("nothing");
            format!("{}: {told}; {column:?} answered {wanted} ({})", row.question, row.source)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_other_answer_is_a_difference() {
        for column in Column::ALL {
            let recorded = || TABLE.iter().filter_map(|row| Some((row.question, row.answers[column as usize]?)));
            let right: String = recorded().map(|(question, answer)| format!("{question}={answer}\n")).collect();
            assert_eq!(differences(column, &right), Vec::<String>::new());
            for (question, answer) in recorded() {
                let wrong = right.replace(&format!("{question}={answer}\n"), &format!("{question}=other\n"));
                assert_eq!(differences(column, &wrong).len(), 1, "{column:?} {question}");
            }
            assert_eq!(differences(column, "").len(), recorded().count());
        }
    }

    #[test]
    fn a_kernel_of_which_nothing_is_recorded_has_no_column() {
        assert_eq!(Column::of("FreeBSD 11.1-RELEASE", false, 32), Some(Column::Compat32Of11));
        assert_eq!(Column::of("FreeBSD 10.4-RELEASE-p9", true, 32), Some(Column::I386Of10));
        assert_eq!(Column::of("FreeBSD 10.4-RELEASE", false, 32), None);
        assert_eq!(Column::of("FreeBSD", false, 64), None);
        assert_eq!(Column::of("FreeBSD 12.0-RELEASE", false, 64), None);
    }
}
