//! Mutants of heap, arena, rules and start that the suites on the host see: nothing is built for a port.

use super::Mutant;

const fn mutant(
    seen_by: &'static str,
    file: &'static str,
    name: &'static str,
    edits: &'static [(&'static str, &'static str)],
) -> Mutant {
    Mutant { name, port: None, file, edits, seen_by }
}

const BACKEND: &str = "src/heap/backend.rs";
const BINS: &str = "src/heap/bins.rs";
const CHUNK: &str = "src/heap/free_chunk.rs";
const CLASS: &str = "src/heap/class.rs";
const DEPOT: &str = "src/heap/depot.rs";
const GROWTH: &str = "src/heap/growth.rs";
const PURGE: &str = "src/heap/purge.rs";
const SEGMENT: &str = "src/heap/segment.rs";
const SYSTEM: &str = "src/heap/system.rs";
const BIAS: &str = "src/lock/bias.rs";
const WORD: &str = "src/lock/word.rs";
const CACHE: &str = "src/heap/cache.rs";
const FRONTS: &str = "src/heap/fronts.rs";
const FORK: &str = "src/heap/fork.rs";
const THREAD: &str = "src/thread.rs";
const STACK: &str = "src/thread/stack.rs";
const MOD: &str = "src/heap/mod.rs";
const CHECK: &str = "src/heap/check.rs";
const VM: &str = "src/vm.rs";
const ARENA: &str = "src/arena.rs";
const MEMLIMIT: &str = "src/memlimit.rs";
const PLAN: &str = "src/plan.rs";

/// The suites: the library's own tests, and those of this crate by their names.
pub(super) const LIB: &str = "--lib";
const HEAP: &str = "heap";
const MISUSE: &str = "heap_misuse";
const RULES: &str = "rules";
const RESERVED: &str = "arena";
/// A model, or threads that wait for one another, may end the process in the middle.
pub(super) const LOCK_MODEL: &str = "lock_model";
pub(super) const HEAP_THREADS: &str = "heap_threads";

/// The collector beside a graph.
pub(super) const COLLECTOR: &str = "gc";

pub(super) const SUITES: [&str; 8] = [LIB, HEAP, MISUSE, RULES, RESERVED, LOCK_MODEL, HEAP_THREADS, COLLECTOR];

pub(super) const MUTANTS: &[Mutant] = &[
    // Whose a front is.
    mutant(LOCK_MODEL, BIAS, "an owner's steps are in any order", &[("        order_own();\n", "")]),
    mutant(LOCK_MODEL, BIAS, "the steps of an owner are in any order for others", &[("        order_others();\n", "")]),
    mutant(
        LOCK_MODEL,
        BIAS,
        "an owner that comes in again does not see what was done meanwhile",
        &[("let mine = self.owner.load(Acquire)", "let mine = self.owner.load(Relaxed)")],
    ),
    mutant(
        LOCK_MODEL,
        BIAS,
        "what an owner did is not seen when it has left",
        &[("self.inside.store(0, Release)", "self.inside.store(0, Relaxed)")],
    ),
    mutant(LOCK_MODEL, BIAS, "nobody waits for an owner", &[("self.inside.load(Acquire) == 0", "true")]),
    mutant(
        LOCK_MODEL,
        BIAS,
        "what had an owner is somebody else's later",
        &[("self.owner.store(owner & !OUT, Release)", "self.owner.store(NOBODY, Release)")],
    ),
    mutant(
        LIB,
        FORK,
        "the owners that a copy has lost are waited for",
        &[("        self.fronts.further().for_each(|front| front.bias.forget_owner());\n", "")],
    ),
    mutant(
        LOCK_MODEL,
        WORD,
        "the copy of a process wakes who is not there",
        &[("        self.state.store(HELD, Relaxed);\n        self.token.store(0, Relaxed);\n", "")],
    ),
    mutant(
        LIB,
        THREAD,
        "an alternate stack where the variables are",
        &[("ALTERNATE_FROM.. if wanted =>", "_ if wanted && len >= ALTERNATE_FROM =>")],
    ),
    mutant(
        LIB,
        STACK,
        "a stack without room for an alternate stack",
        &[("let kept = template.room() + ALTERNATE_SIZE;", "let kept = template.room();")],
    ),
    mutant(
        LIB,
        FRONTS,
        "an owner stays kept out",
        &[(
            "if L::BIASED && !self.own {\n            self.front.bias.let_in();",
            "if L::BIASED && self.own {\n            self.front.bias.let_in();",
        )],
    ),
    mutant(
        LIB,
        FRONTS,
        "an owner's entry of the table is taken already",
        &[(
            "(hash(thread >> POINTER_LOG, OWNERS_LOG)..).map(",
            "(hash(thread >> POINTER_LOG, OWNERS_LOG)..).take(1).map(",
        )],
    ),
    mutant(LIB, FRONTS, "fronts are looked at once only", &[("let all_twice = 2 * ", "let all_twice = ")]),
    mutant(
        LIB,
        FRONTS,
        "what was found in fronts is forgotten",
        &[("if found { 0 }", "if found { self.vain.load(Relaxed) }")],
    ),
    mutant(LIB, FRONTS, "a heap that has changed a little has changed", &[("> used / VISIT_SHARE", "> 0")]),
    mutant(LIB, FRONTS, "a small heap has room for many fronts", &[("len > limit / ROOM_SHARE", "len > limit")]),
    mutant(
        HEAP_THREADS,
        FRONTS,
        "what other threads leave in lists stays there",
        &[("VISITS.min(fronts)", "VISITS.min(0)")],
    ),
    mutant(
        LIB,
        FRONTS,
        "lists are emptied while their owner is inside",
        &[("if front.bias.is_left() {", "if front.bias.is_left() || true {")],
    ),
    mutant(
        HEAP_THREADS,
        THREAD,
        "a thread without a thread pointer owns what another does",
        &[("expect_threads(pointer.is_some())", "expect_threads(true)")],
    ),
    // What is carved and joined.
    mutant(
        HEAP,
        BACKEND,
        "the rest before an aligned block is lost",
        &[("if start < at {\n                self.put", "if start < at && false {\n                self.put")],
    ),
    mutant(HEAP, BACKEND, "the rest behind a block is lost", &[("if rest < end {", "if rest < end && false {")]),
    mutant(
        HEAP,
        BACKEND,
        "the chunk on the right is not joined",
        &[("if end < segment.top && segment.edge(end) {", "if end < segment.top && false {")],
    ),
    mutant(
        HEAP,
        BACKEND,
        "the chunk on the left is not joined",
        &[("if start > 0 && segment.edge(start - GRANULE) {", "if start > GRANULE && false {")],
    ),
    mutant(HEAP, BACKEND, "a top does not fall", &[("if span.end == segment.top {", "if span.end > segment.top {")]),
    mutant(
        HEAP,
        BACKEND,
        "new memory is zero wherever it is",
        &[("let zero = at >= segment.fresh;", "let zero = at < usize::MAX;")],
    ),
    mutant(
        HEAP,
        BACKEND,
        "the gap before an aligned block at the top is lost",
        &[(
            "            if start < at {\n                // SAFETY: the gap",
            "            if start < at && false {\n                // SAFETY: the gap",
        )],
    ),
    mutant(HEAP, BACKEND, "an end is cut off and not given", &[("if new < old {\n", "if new < old && false {\n")]),
    mutant(
        HEAP,
        BACKEND,
        "grows over a chunk that is too short",
        &[("if end + right.len() < new_end {", "if end + right.len() + 64 < new_end {")],
    ),
    mutant(
        HEAP,
        BACKEND,
        "grows over a neighbour in use",
        &[("            if !segment.edge(end) {\n                return false;\n            }\n", "")],
    ),
    mutant(
        HEAP,
        BACKEND,
        "what is left of a chunk when a block has grown is lost",
        &[("if new_end < span.end {", "if new_end < span.end && false {")],
    ),
    mutant(
        HEAP,
        BACKEND,
        "an aligned block is looked for in short chunks only",
        &[("self.find_aligned(request, usize::MAX)?", "self.find_aligned(request, 1)?")],
    ),
    mutant(
        MISUSE,
        BACKEND,
        "what is free twice is believed",
        &[(
            "Some(segment) if segment.edge(start) || segment.edge(end - GRANULE) => \"is free already\",",
            "Some(segment) if segment.edge(start) && segment.edge(start + GRANULE) => \"is free already\",",
        )],
    ),
    mutant(HEAP, PURGE, "the peak is not kept", &[("        self.peak = self.peak.max(self.out());\n", "")]),
    // What lies in the bins.
    mutant(
        HEAP,
        BINS,
        "an empty bin stays marked",
        &[("if self.heads[bin].is_none() {", "if self.heads[bin].is_none() && len == 0 {")],
    ),
    mutant(
        LIB,
        BINS,
        "the best fit is any fit",
        &[("if len >= self.len && len < self.found {", "if len >= self.len {")],
    ),
    mutant(HEAP, BINS, "too short fits too", &[("if len >= self.len && len < self.found {", "if len < self.found {")]),
    mutant(
        HEAP,
        BINS,
        "a tree goes the other way down",
        &[(
            "at = node.child(side);\n        }\n        chunk.set_links",
            "at = node.child(1 - side);\n        }\n        chunk.set_links",
        )],
    ),
    mutant(
        HEAP,
        BINS,
        "what hangs below a node is lost with it",
        &[(
            "            self.replace_child(bin, leaf, None);\n            heir = Some(leaf);",
            "            self.replace_child(bin, leaf, None);",
        )],
    ),
    mutant(HEAP, BINS, "an heir's children do not know it", &[("                child.set_parent(Some(heir));\n", "")]),
    mutant(
        LIB,
        BINS,
        "a search begins a bin too late",
        &[("None => self.first_from(bin + 1),", "None => self.first_from(bin + 2),")],
    ),
    mutant(
        LIB,
        BINS,
        "long chunks have one bit less",
        &[(
            "(len / GRANULE) << (usize::BITS as usize - (log - STEPS_LOG))",
            "(len / GRANULE) << (usize::BITS as usize - (log - STEPS_LOG) + 1)",
        )],
    ),
    mutant(
        HEAP,
        CHUNK,
        "the length is not at the end",
        &[("            at.add(len - WORD).cast::<usize>().write(len);\n", "")],
    ),
    mutant(
        HEAP,
        CHUNK,
        "a single granule is not marked",
        &[("chunk.set_links(None, None, len == GRANULE);", "chunk.set_links(None, None, len < GRANULE);")],
    ),
    mutant(
        HEAP,
        CHUNK,
        "a chunk's first words are given back",
        &[("round_up(start + FRONT, page)", "round_up(start, page)")],
    ),
    mutant(
        HEAP,
        CHUNK,
        "a chunk's last word is given back",
        &[("round_down(start + len - BACK, page)", "round_down(start + len, page)")],
    ),
    // Classes.
    mutant(
        HEAP,
        CLASS,
        "a class is a granule short",
        &[("return class * GRANULE;", "return (class - class / 64) * GRANULE;")],
    ),
    mutant(
        HEAP,
        CLASS,
        "any alignment has a class",
        &[(
            "layout.size() <= SMALL_MAX && layout.align() <= GRANULE",
            "layout.size() <= SMALL_MAX && layout.align() <= 4 * GRANULE",
        )],
    ),
    mutant(
        HEAP,
        CLASS,
        "no bytes have a class of no bytes",
        &[("    if class == 0 {\n        return GRANULE;\n    }\n", "")],
    ),
    mutant(
        LIB,
        CLASS,
        "two alignments share a class",
        &[("ORDINARY + doublings * MULTIPLES + further", "ORDINARY + doublings * (MULTIPLES - 1) + further")],
    ),
    mutant(
        HEAP,
        CLASS,
        "aligned requests of no bytes have a class of any length",
        &[("if doublings < ALIGNMENTS && further < MULTIPLES {", "if doublings < ALIGNMENTS {")],
    ),
    mutant(
        HEAP,
        CACHE,
        "blocks lie otherwise than their class says",
        &[("align: class.align() })?", "align: GRANULE })?")],
    ),
    mutant(
        LIB,
        BACKEND,
        "a chunk of the right length lies anywhere",
        &[("chunk.len() == len && lies_so(chunk)", "chunk.len() == len")],
    ),
    mutant(
        HEAP,
        MOD,
        "a block that is found by a look at every chunk is not counted",
        &[(
            "            self.depot.out[class.index()] += 1;\n        }\n        if found",
            "        }\n        if found",
        )],
    ),
    mutant(
        LIB,
        CHECK,
        "a listed block may lie anywhere",
        &[("at.is_multiple_of(class.align())", "at.is_multiple_of(GRANULE)")],
    ),
    mutant(
        HEAP,
        MOD,
        "aligned blocks are taken to be in their list",
        &[("_ => self.deallocate_slowly(block, layout, false)", "_ => self.deallocate_slowly(block, layout, true)")],
    ),
    // Growth.
    mutant(HEAP, GROWTH, "a segment is not larger than what it is for", &[("min.max(round_up(want, page))", "min")]),
    mutant(
        HEAP,
        GROWTH,
        "nothing is released before a refusal",
        &[("if again && !self.release_unused(true, true) {", "if again {")],
    ),
    mutant(
        HEAP,
        GROWTH,
        "a segment's end is not released",
        &[(
            "if ends && let Some(tail) = segment.cut(self.page) {",
            "if ends && let Some(tail) = segment.cut(self.page).filter(|_| false) {",
        )],
    ),
    mutant(HEAP, GROWTH, "blocks that are never written are made resident", &[("small && written && !huge", "!huge")]),
    mutant(HEAP, GROWTH, "blocks of which little is written are made resident", &[("= LARGE / 8;", "= LARGE;")]),
    mutant(
        HEAP,
        GROWTH,
        "a stack is taken to be written whole",
        &[("[segment.address_of(need - len / 2), ", "[segment.address_of(need - 1), ")],
    ),
    mutant(HEAP, GROWTH, "huge pages for what is never written", &[("(from == 0 || written)", "true")]),
    mutant(
        LIB,
        GROWTH,
        "a top rises by less where what is reserved ends",
        &[("if want > segment.size() {", "if need > segment.size() {")],
    ),
    mutant(
        LIB,
        GROWTH,
        "what has a segment of its own follows from what is reserved",
        &[("least.max(self.peak / OWN_SHARE)", "self.reserved() / OWN_SHARE")],
    ),
    mutant(
        HEAP,
        SEGMENT,
        "small blocks come behind a large one as far as its huge page goes",
        &[(
            "self.soft = if self.own { need } else { want.min(self.committed) };",
            "self.soft = want.min(self.committed);",
        )],
    ),
    mutant(
        HEAP,
        BACKEND,
        "small blocks come behind a large one that has become shorter",
        &[("        if segment.own {", "        if false {")],
    ),
    mutant(
        HEAP,
        MOD,
        "a request for more than there can be empties all lists",
        &[("2 if request.len > self.backend.memory.limit().min(ADDRESSES) => break,", "2 if false => break,")],
    ),
    mutant(
        LIB,
        GROWTH,
        "lists are a little longer under a limit that is a little larger",
        &[("1 << log2(self.memory.limit() | 1)", "self.memory.limit()")],
    ),
    mutant(
        LIB,
        SEGMENT,
        "how far a top may rise follows from addresses",
        &[("else { want.min(self.committed) };", "else { whole.min(self.committed) };")],
    ),
    mutant(
        HEAP,
        SEGMENT,
        "the end of a huge page stays",
        &[("if self.huge && whole <= self.committed { whole } else { to }", "to")],
    ),
    mutant(
        LIB,
        SEGMENT,
        "blocks begin anywhere in a page",
        &[("if end < PAGES_FROM { GRANULE } else { page }", "GRANULE")],
    ),
    mutant(
        LIB,
        SEGMENT,
        "the least extent has bits for its block alone",
        &[("(GRANULE * BITS / 2) + 2", "(GRANULE * BITS) + 2")],
    ),
    mutant(
        HEAP,
        GROWTH,
        "large blocks never come as huge pages",
        &[("(from == 0 || written)", "(from == 0 || written && small)")],
    ),
    mutant(LIB, CACHE, "a list may be long where address space is short", &[(".min(backend.limit / LIMIT_SHARE)", "")]),
    mutant(
        LIB,
        CACHE,
        "lists that stand still stay",
        &[("if self.left[i] == 0 && *most > 0 {", "if self.left[i] < 0 {")],
    ),
    mutant(
        LIB,
        CACHE,
        "all lists that stand still go at once",
        &[("self.left[i] == 0 && *most > 0", "self.left[i] == 0")],
    ),
    mutant(
        LIB,
        CACHE,
        "a batch becomes ever longer",
        &[("if held > 2 * self.most[i].max(BATCH_MAX as i32) {", "if held < 0 {")],
    ),
    mutant(LIB, CACHE, "lists of small heaps stand still", &[("backend.out() > IDLE_MIN", "true")]),
    mutant(LIB, GROWTH, "pages are made resident while others wait", &[(" && self.further == 0", "")]),
    mutant(LIB, DEPOT, "a front takes another's batches first", &[("(front..front + GROUPS)", "(0..GROUPS)")]),
    mutant(LIB, DEPOT, "long blocks wait in batches", &[("class.len() > LONG || ", "")]),
    mutant(LIB, DEPOT, "scattered blocks wait in batches", &[(" || scattered()", "")]),
    mutant(HEAP, GROWTH, "the least step is a page", &[("clamp(STEP_MIN, ", "clamp(4096, ")]),
    // What is given back.
    mutant(
        HEAP,
        PURGE,
        "nothing is given back but by trim",
        &[("if self.dirty > self.threshold() {", "if self.dirty > usize::MAX / 2 {")],
    ),
    mutant(HEAP, PURGE, "nothing is wanted again", &[("kept + self.wanted.min(kept)", "kept")]),
    mutant(HEAP, PURGE, "what was wanted once is wanted for ever", &[("            self.forget_wanted();\n", "")]),
    mutant(
        HEAP,
        BACKEND,
        "what is taken again above a top is not noticed",
        &[("self.note_again(again - (dirty - segment.dirty));", "let _ = again;")],
    ),
    mutant(
        HEAP,
        BACKEND,
        "what is taken again of a chunk is not noticed",
        &[("self.note_again(span.given_back(at, rest));", "")],
    ),
    mutant(
        HEAP,
        PURGE,
        "trim leaves what lies above the tops",
        &[(
            "            self.purge_above(segment, usize::MAX);\n            segment.purge_bits",
            "            segment.purge_bits",
        )],
    ),
    mutant(
        HEAP,
        PURGE,
        "trim leaves the bits",
        &[("            segment.purge_bits(self.page, &mut self.memory);\n", "")],
    ),
    mutant(
        LIB,
        SEGMENT,
        "trim leaves the bits below a top",
        &[("at >= used || words.iter().all(|word| *word == 0)", "at >= used")],
    ),
    mutant(
        HEAP,
        PURGE,
        "trim leaves the chunks",
        &[(
            "            self.purge_chunk(chunk, usize::MAX);\n",
            "            self.forget_dirty(chunk, chunk.dirty(chunk.len()));\n            chunk.set_dirty(0, 0, 0);\n",
        )],
    ),
    mutant(
        HEAP,
        PURGE,
        "a chunk that was given back in part counts whole",
        &[("self.dirty -= dirty - left;", "self.dirty -= dirty;")],
    ),
    mutant(
        HEAP,
        PURGE,
        "what was given back counts as if it had been elsewhere",
        &[("let left = dirty.min(to - from);", "let left = if to > from { dirty } else { 0 };")],
    ),
    mutant(
        HEAP,
        BACKEND,
        "what joins what lies above a top is not counted",
        &[("segment.dirty + span.dirty);", "segment.dirty);")],
    ),
    mutant(
        HEAP,
        GROWTH,
        "an empty segment stays whatever else there is",
        &[("if segment.top == 0 && (all || kept.is_some() || next.is_some()) {", "if segment.top == 0 && all {")],
    ),
    mutant(
        HEAP,
        MOD,
        "a long block goes back as slowly as short ones",
        &[("for _ in 0..2 * (layout.size() / SLICE) {", "for _ in 0..0 {")],
    ),
    mutant(
        HEAP,
        SEGMENT,
        "what was given back reads as zero",
        &[("if zero && self.fresh <= to {", "if self.fresh <= to {")],
    ),
    mutant(
        HEAP,
        SEGMENT,
        "bits that are in use are given back",
        &[(
            "self.bits.addr().get() + (self.top / GRANULE / BITS + 1) * WORD;\n        let used",
            "self.bits.addr().get();\n        let used",
        )],
    ),
    mutant(
        HEAP,
        SEGMENT,
        "a segment that was cut ends where it did",
        &[("        self.size = (keep - head).min(self.capacity);\n", "")],
    ),
    mutant(HEAP, SEGMENT, "an edge is not cleared", &[("&= !(1 << (granule % BITS))", "&= !(0 << (granule % BITS))")]),
    mutant(
        HEAP,
        SEGMENT,
        "no more is committed than is needed",
        &[("whole.max(self.committed.saturating_add(step))", "need")],
    ),
    // What the heap takes of the kernel.
    mutant(
        HEAP,
        SYSTEM,
        "the cap is the kernel's business",
        &[(
            "self.cap.map_or(u64::MAX, |cap| cap.saturating_sub(self.reserved))",
            "self.cap.map_or(u64::MAX, |_| u64::MAX)",
        )],
    ),
    mutant(HEAP, SYSTEM, "a kernel that answers has done it", &[(" && at.read_volatile() == 0;", ";")]),
    mutant(HEAP, SYSTEM, "what was released counts for ever", &[("            self.reserved -= len;\n", "")]),
    // What `check` finds.
    mutant(
        LIB,
        CHECK,
        "check: sums that are wrong are right",
        &[(
            "if (found.free, found.used, found.dirty) != (backend.free, backend.used, backend.dirty) {",
            "if found.free == usize::MAX {",
        )],
    ),
    mutant(LIB, CHECK, "check: chunks that touch are whole", &[("            return Err(Fault::Unjoined(at));\n", "")]),
    mutant(LIB, CHECK, "check: an edge inside a chunk is none", &[("step_by(GRANULE).any(", "step_by(GRANULE).all(")]),
    mutant(LIB, CHECK, "check: any bin is the right one", &[(" || !backend.bins.has(chunk)", "")]),
    mutant(LIB, CHECK, "check: any number of chunks is right", &[("        return Err(Fault::Count);\n", "")]),
    mutant(LIB, CHECK, "check: the newest need not be the last", &[(" || backend.newest != older", "")]),
    // The rules.
    mutant(
        RULES,
        MEMLIMIT,
        "the allowance is half the limit",
        &[(
            "if limit / 4 < STACKS { limit / 4 } else { STACKS }",
            "if limit / 4 < STACKS { limit / 2 } else { STACKS }",
        )],
    ),
    mutant(
        RULES,
        MEMLIMIT,
        "the document's least is excluded",
        &[("Some(left) if left >= 16 * MIB", "Some(left) if left > 16 * MIB")],
    ),
    mutant(
        RULES,
        MEMLIMIT,
        "the document's infinity is a byte higher",
        &[("if limit >= 0x7fff_ffff {", "if limit > 0x7fff_ffff {")],
    ),
    mutant(
        RULES,
        MEMLIMIT,
        "a footprint wraps around",
        &[(
            "limit.saturating_sub(footprint).saturating_sub(allowance)",
            "limit.wrapping_sub(footprint).saturating_sub(allowance)",
        )],
    ),
    mutant(
        RULES,
        MEMLIMIT,
        "the least limit is a byte too high",
        &[(
            "None if base.saturating_sub(1) / 3 < STACKS => base + base.saturating_sub(1) / 3,",
            "None if base.saturating_sub(1) / 3 < STACKS => base + base / 3,",
        )],
    ),
    mutant(
        RULES,
        PLAN,
        "a plan may be larger than what there is",
        &[("=> bytes / (ratio(width) + 1)", "=> bytes / ratio(width)")],
    ),
    mutant(
        RULES,
        PLAN,
        "an arena of nothing is one",
        &[("if plan.arena == 0 { None } else { Some(plan) }", "Some(plan)")],
    ),
    mutant(
        RULES,
        PLAN,
        "the small plan where the full one fits",
        &[("if bytes > GIB => full(width)", "if bytes > 2 * GIB => full(width)")],
    ),
    // The arena.
    mutant(
        RESERVED,
        ARENA,
        "released space does not come back",
        &[("            self.left = self.left.map(|left| left.saturating_add(len));\n", "")],
    ),
    mutant(
        RESERVED,
        ARENA,
        "reserved space does not count",
        &[("        self.left = self.left.map(|left| left - extent.len() as u64);\n", "")],
    ),
    mutant(
        RESERVED,
        ARENA,
        "what the kernel did not take back comes back",
        &[("let released = extent.release().is_ok();", "let released = extent.release().is_ok() || true;")],
    ),
    mutant(
        RESERVED,
        ARENA,
        "the bitmap is not committed with the arena",
        &[("            self.bitmap.commit(covers(self.committed)..covers(to))?;\n", "")],
    ),
    mutant(
        RESERVED,
        VM,
        "an extent is divided a page too early",
        &[(
            "let rest = unsafe { self.base.add(len) };",
            "let rest = unsafe { self.base.add(len.saturating_sub(4096)) };",
        )],
    ),
];
