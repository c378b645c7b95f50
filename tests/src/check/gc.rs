//! A random mutator, and the graph that it believes to have made: what the collector's tests and its fuzz target share.

use std::collections::HashMap;
use std::ptr::NonNull;

use rt0::arena::Options;
use rt0::gc::{Collector, Embedder, Event, GRANULE, Growth, Kind, Marker, Policy};

/// A language whose roots are a list, and whose references carry a tag if `TAG` is not 0.
pub struct Language<const TAG: usize, const INTERIOR: bool> {
    /// Objects that are reachable.
    pub roots: Vec<NonNull<u8>>,
    /// What the event hook saw.
    pub events: Vec<Event>,
}

// SAFETY: every object that a test uses is in `roots`, or is referred to by one that is.
unsafe impl<const TAG: usize, const INTERIOR: bool> Embedder for Language<TAG, INTERIOR> {
    const MASK: usize = if TAG == 0 { usize::MAX } else { !3 };
    const INTERIOR: bool = INTERIOR;

    fn roots(&mut self, marker: &mut Marker<'_, Self>) {
        for root in &self.roots {
            marker.root(root.addr().get());
        }
    }

    fn event(&mut self, event: &Event) {
        self.events.push(*event);
    }
}

/// A number from a seed, or from what a fuzzer gives.
pub trait Choices {
    /// A number below `bound`; `None` when the choices are at their end.
    fn below(&mut self, bound: usize) -> Option<usize>;
}

impl Choices for fastrand::Rng {
    fn below(&mut self, bound: usize) -> Option<usize> {
        Some(self.usize(..bound))
    }
}

/// Two bytes for each choice.
impl Choices for &[u8] {
    fn below(&mut self, bound: usize) -> Option<usize> {
        let (bytes, rest) = self.split_first_chunk::<2>()?;
        *self = rest;
        Some(usize::from(u16::from_le_bytes(*bytes)) % bound)
    }
}

/// What the mutator believes of an object.
#[derive(Clone, Debug)]
struct Node {
    words: usize,
    leaf: bool,
    seed: usize,
    /// The words that are references, and where they lead to.
    edges: HashMap<usize, usize>,
}

/// The heap and the graph.
pub struct Mutator<const TAG: usize, const INTERIOR: bool> {
    /// The heap.
    pub gc: Collector<Language<TAG, INTERIOR>>,
    nodes: HashMap<usize, Node>,
    seed: usize,
    refused: usize,
    /// Whether there is a collection before each allocation.
    pub always: bool,
}

/// What a word of an object holds that is no reference: never an address.
fn filling(seed: usize, index: usize) -> usize {
    seed.wrapping_mul(31).wrapping_add(index) & 0xffff | 1
}

impl<const TAG: usize, const INTERIOR: bool> Mutator<TAG, INTERIOR> {
    /// An empty heap of `bound` bytes.
    pub fn new(bound: u64, growth: Growth) -> Self {
        let policy = Policy { arena: Options::DEFAULT.cap(bound), growth, handles: 8 };
        let gc = Collector::new(&policy, Language { roots: Vec::new(), events: Vec::new() }).expect("an arena");
        Mutator { gc, nodes: HashMap::new(), seed: 0, refused: 0, always: false }
    }

    fn word(at: usize, index: usize) -> *mut usize {
        std::ptr::with_exposed_provenance_mut::<usize>(at).wrapping_add(index)
    }

    /// Makes an object; it is a root. `false`: there is no memory.
    pub fn make(&mut self, words: usize, leaf: bool) -> bool {
        let kind = if leaf { Kind::Leaf } else { Kind::Scan };
        if self.always {
            self.collect();
        }
        let Some(object) = self.gc.allocate(words * GRANULE, kind) else {
            self.refused += 1;
            return false;
        };
        let at = object.as_ptr().expose_provenance();
        self.seed += 1;
        for index in 0..words.max(1) {
            // SAFETY: inside the object.
            unsafe {
                assert_eq!(Self::word(at, index).read(), 0, "a new object is zero");
                Self::word(at, index).write(filling(self.seed, index));
            }
        }
        // What was there before is dead.
        self.nodes.retain(|other, node| *other + node.words * GRANULE <= at || at + words.max(1) * GRANULE <= *other);
        self.nodes.insert(at, Node { words: words.max(1), leaf, seed: self.seed, edges: HashMap::new() });
        self.gc.embedder_mut().roots.push(object);
        true
    }

    /// Makes one root refer to another by its word `index`.
    pub fn link(&mut self, from: usize, index: usize, to: usize) {
        let roots = &self.gc.embedder().roots;
        let (from, to) = (roots[from].addr().get(), roots[to].addr().get());
        let inside = if INTERIOR { self.nodes[&to].words * GRANULE / 2 } else { 0 };
        let node = self.nodes.get_mut(&from).expect("a root is an object");
        if node.leaf {
            return;
        }
        let index = index % node.words;
        node.edges.insert(index, to);
        // SAFETY: inside the object.
        unsafe { Self::word(from, index).write((to + inside) | TAG) };
    }

    /// The objects that are reachable, each held against what is believed of it.
    pub fn reachable(&self) -> Vec<usize> {
        let mut found: Vec<usize> = self.gc.embedder().roots.iter().map(|root| root.addr().get()).collect();
        found.sort_unstable();
        found.dedup();
        let mut seen: std::collections::HashSet<usize> = found.iter().copied().collect();
        let mut next = 0;
        while next < found.len() {
            let at = found[next];
            next += 1;
            let node = &self.nodes[&at];
            for index in 0..node.words {
                // SAFETY: inside the object.
                let word = unsafe { Self::word(at, index).read() };
                if let Some(to) = node.edges.get(&index) {
                    assert_eq!(
                        self.gc.find_start(word & !TAG).map(|start| start.addr().get()),
                        Some(*to),
                        "a reference"
                    );
                    if seen.insert(*to) {
                        found.push(*to);
                    }
                } else {
                    assert_eq!(word, filling(node.seed, index), "word {index} of {} at {at:#x}", node.words);
                }
            }
            let object = self.gc.find(at + node.words * GRANULE - 1).expect("an object's last byte");
            assert_eq!((object.start.addr().get(), object.len), (at, node.words * GRANULE));
            assert_eq!(object.kind == Kind::Leaf, node.leaf);
        }
        found
    }

    /// Collects; nothing that is reachable is lost, and nothing else is left.
    pub fn collect(&mut self) {
        self.gc.collect();
        self.check();
        let reachable = self.reachable();
        let mut left: Vec<usize> = self.gc.objects().map(|object| object.start.addr().get()).collect();
        let mut right = reachable;
        right.sort_unstable();
        left.sort_unstable();
        assert_eq!(left, right, "what is left is what is reachable");
        self.nodes.retain(|at, _| left.binary_search(at).is_ok());
        let live: usize = self.nodes.values().map(|node| node.words * GRANULE).sum();
        assert_eq!(self.gc.stats().live, live, "live bytes");
    }

    /// Looks at the whole heap.
    pub fn check(&self) {
        assert_eq!(self.gc.check(), Ok(()));
    }

    /// How many requests found no room.
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// One step of a random mutator; `None` when the choices are at their end.
    pub fn step(&mut self, choices: &mut impl Choices) -> Option<()> {
        let len = self.gc.embedder().roots.len();
        match choices.below(16)? {
            0..=6 => {
                let words = match choices.below(20)? {
                    0 => 1024 + choices.below(4096)?,
                    1 | 2 => 100 + choices.below(1200)?,
                    3..=6 => choices.below(64)?,
                    _ => choices.below(9)?,
                };
                let leaf = choices.below(3)? == 0;
                self.make(words, leaf);
            }
            7..=11 if len > 1 => {
                let (from, to) = (choices.below(len)?, choices.below(len)?);
                self.link(from, choices.below(5000)?, to);
            }
            12..=14 if len > 0 => {
                let which = choices.below(len)?;
                self.gc.embedder_mut().roots.swap_remove(which);
            }
            15 if choices.below(8)? == 0 => self.collect(),
            15 if choices.below(200)? == 0 => self.gc.embedder_mut().roots.clear(),
            _ => {}
        }
        Some(())
    }
}

/// One fuzzed run: the bytes say what is done. At the end everything is freed.
pub fn drive(bytes: &[u8]) {
    let Some((first, mut choices)) = bytes.split_first() else { return };
    let growth = if first & 1 == 0 { Growth::Whole } else { Growth::Live { percent: 150, least: 64 << 10 } };
    let mut mutator = Mutator::<0, false>::new(128 << 10 << (first >> 5), growth);
    while mutator.step(&mut choices).is_some() {}
    mutator.collect();
    mutator.gc.embedder_mut().roots.clear();
    mutator.collect();
    assert_eq!(mutator.gc.stats().live, 0, "nothing is left");
    // SAFETY: nobody uses an object any more.
    unsafe { mutator.gc.release() };
}
