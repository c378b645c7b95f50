//! The bins: free chunks sorted by length.
//!
//! Up to 64 granules each length has a bin of its own, a list; above, a doubling is
//! divided into eight bins, up to 2^26 granules, and the last bin holds
//! everything longer. A bit for each bin says whether it holds anything, so the
//! next bin that does is found in a few instructions.
//!
//! A bin of many lengths is a tree (a bitwise trie): the root is any of its chunks,
//! and below a node those are on the left whose next bit of the length is 0, and on
//! the right the others. Chunks of one length hang at their node in a list. So the
//! best fit, the shortest chunk that is long enough, is found in as many steps as a
//! word has bits, twice at the most, however many chunks there are; inserting and
//! removing take as many.

use super::class::{GRANULE, log2};
use super::free_chunk::{FreeChunk, LONG};

const EXACT: usize = LONG / GRANULE;
const EXACT_LOG: usize = EXACT.ilog2() as usize;
const STEPS_LOG: usize = 3;
const DOUBLINGS: usize = 20;

/// Number of bins.
pub(super) const BINS: usize = EXACT + (DOUBLINGS << STEPS_LOG);

const BITS: usize = u32::BITS as usize;
const TOP_BIT: u32 = usize::BITS - 1;

/// The bin of chunks of `len` bytes.
#[inline]
pub(super) const fn bin_of(len: usize) -> usize {
    let granules = len / GRANULE;
    let bin = if granules < EXACT {
        granules
    } else {
        let log = log2(granules);
        let step = (granules >> (log - STEPS_LOG)) & ((1 << STEPS_LOG) - 1);
        EXACT + ((log - EXACT_LOG) << STEPS_LOG) + step
    };
    if bin < BINS { bin } else { BINS - 1 }
}

/// The bits of a length that tell it from others of its bin, from the top bit down.
#[inline]
const fn key_of(bin: usize, len: usize) -> usize {
    if bin == BINS - 1 {
        // Nothing is known of these; the low bits of a length are zero.
        return len;
    }
    let log = EXACT_LOG + ((bin - EXACT) >> STEPS_LOG);
    (len / GRANULE) << (usize::BITS as usize - (log - STEPS_LOG))
}

/// All free chunks.
#[derive(Debug)]
pub(super) struct Bins {
    heads: [Option<FreeChunk>; BINS],
    filled: [u32; BINS / BITS],
}

impl Bins {
    pub(super) const fn new() -> Bins {
        Bins { heads: [None; BINS], filled: [0; BINS / BITS] }
    }

    /// Puts a chunk, which is in no bin, into its bin.
    #[inline]
    pub(super) fn insert(&mut self, chunk: FreeChunk, len: usize) {
        let bin = bin_of(len);
        self.filled[bin / BITS] |= 1 << (bin % BITS);
        if bin >= EXACT {
            return self.insert_long(bin, chunk, len);
        }
        let one = len == GRANULE;
        match self.heads[bin] {
            // What is used first tends to lie low, so that what lies high comes free.
            Some(head) if head < chunk => head.insert_after(chunk, one),
            head => {
                chunk.set_links(None, head, one);
                if let Some(head) = head {
                    head.set_prev(Some(chunk), one);
                }
                self.heads[bin] = Some(chunk);
            }
        }
    }

    fn insert_long(&mut self, bin: usize, chunk: FreeChunk, len: usize) {
        let mut key = key_of(bin, len);
        let (mut parent, mut side) = (None, 0);
        let mut at = self.heads[bin];
        while let Some(node) = at {
            if node.len() == len {
                return node.insert_after(chunk, false);
            }
            side = key >> TOP_BIT;
            key <<= 1;
            parent = at;
            at = node.child(side);
        }
        chunk.set_links(None, None, false);
        chunk.set_child(0, None);
        chunk.set_child(1, None);
        chunk.set_parent(parent);
        match parent {
            Some(parent) => parent.set_child(side, Some(chunk)),
            None => self.heads[bin] = Some(chunk),
        }
    }

    /// Takes a chunk out of its bin.
    #[inline]
    pub(super) fn remove(&mut self, chunk: FreeChunk, len: usize) {
        let bin = bin_of(len);
        if bin >= EXACT && chunk.prev().is_none() {
            self.remove_node(bin, chunk);
        } else {
            chunk.remove_from_list(len == GRANULE);
            if chunk.prev().is_none() {
                self.heads[bin] = chunk.next();
            }
        }
        if self.heads[bin].is_none() {
            self.filled[bin / BITS] &= !(1 << (bin % BITS));
        }
    }

    /// Takes a node out of a tree: the next of its length stands there then, or a leaf from below.
    fn remove_node(&mut self, bin: usize, chunk: FreeChunk) {
        let below = |node: FreeChunk| node.child(1).or(node.child(0));
        let mut heir = chunk.next();
        if heir.is_some() {
            chunk.remove_from_list(false);
        } else if let Some(mut leaf) = below(chunk) {
            while let Some(lower) = below(leaf) {
                leaf = lower;
            }
            self.replace_child(bin, leaf, None);
            heir = Some(leaf);
        }
        self.replace_child(bin, chunk, heir);
        let Some(heir) = heir else { return };
        heir.set_parent(chunk.parent());
        for side in [0, 1] {
            let child = chunk.child(side);
            heir.set_child(side, child);
            if let Some(child) = child {
                child.set_parent(Some(heir));
            }
        }
    }

    /// Puts something else where a node hangs.
    fn replace_child(&mut self, bin: usize, node: FreeChunk, by: Option<FreeChunk>) {
        match node.parent() {
            Some(parent) => parent.set_child(usize::from(parent.child(1) == Some(node)), by),
            None => self.heads[bin] = by,
        }
    }

    /// The best fit, which stays in its bin: a chunk of the smallest length that is at least `len`.
    pub(super) fn find(&self, len: usize) -> Option<FreeChunk> {
        let bin = bin_of(len);
        if bin < EXACT {
            return self.first_from(bin);
        }
        // Chunks of this bin may be too short, those of later ones are not.
        match self.best_in(bin, len) {
            Some(node) => Some(node.next().unwrap_or(node)),
            None => self.first_from(bin + 1),
        }
    }

    fn best_in(&self, bin: usize, len: usize) -> Option<FreeChunk> {
        let mut key = key_of(bin, len);
        let mut best = Best { len, node: None, found: usize::MAX };
        let (mut at, mut longer) = (self.heads[bin], None);
        while let Some(node) = at {
            if best.look(node) {
                return best.node;
            }
            // All on the right of a left turn are longer; the last such turn has the shortest of them.
            let side = key >> TOP_BIT;
            key <<= 1;
            if side == 0 && node.child(1).is_some() {
                longer = node.child(1);
            }
            at = node.child(side);
        }
        best.shortest_below(longer);
        best.node
    }

    /// A chunk of at least `len` bytes that `fits`, among the first that are found: after `looks` at such of one length
    /// come longer ones, and after as many lengths none.
    #[inline(never)]
    pub(super) fn find_fitting(&self, len: usize, looks: usize, fits: &dyn Fn(FreeChunk) -> bool) -> Option<FreeChunk> {
        let mut found = self.find(len)?;
        for _ in 0..looks {
            // What `find` answers is at most the second of its length.
            let mut at = found.prev().or(Some(found));
            for _ in 0..looks {
                let Some(chunk) = at else { break };
                if fits(chunk) {
                    return at;
                }
                at = chunk.next();
            }
            found = self.find(found.len() + GRANULE)?;
        }
        None
    }

    /// The chunks of a bin.
    pub(super) fn chunks(&self, bin: usize) -> Chunks {
        Chunks { node: self.heads[bin], last: None, tree: bin >= EXACT }
    }

    /// Whether each bin that holds something, and no other, is marked as filled.
    pub(super) fn marks_are_right(&self) -> bool {
        (0..BINS).all(|bin| self.heads[bin].is_some() == (self.filled[bin / BITS] >> (bin % BITS) & 1 != 0))
    }

    /// Whether a chunk is where a search for its length ends.
    pub(super) fn has(&self, chunk: FreeChunk) -> bool {
        let len = chunk.len();
        let bin = bin_of(len);
        let mut at = self.heads[bin];
        if bin >= EXACT {
            let mut key = key_of(bin, len);
            let mut parent = None;
            while let Some(node) = at
                && node.len() != len
            {
                if node.parent() != parent {
                    return false;
                }
                (parent, at) = (at, node.child(key >> TOP_BIT));
                key <<= 1;
            }
            if at.is_some_and(|node| node.parent() != parent) {
                return false;
            }
        }
        let mut prev = None;
        while let Some(other) = at
            && other.prev() == prev
        {
            if other == chunk {
                return true;
            }
            (prev, at) = (at, other.next());
        }
        false
    }

    /// A chunk of the shortest length in the first bin from `bin` on that holds any.
    fn first_from(&self, bin: usize) -> Option<FreeChunk> {
        let mut at = bin / BITS;
        let mut bits = *self.filled.get(at)? & (u32::MAX << (bin % BITS));
        while bits == 0 {
            at += 1;
            bits = *self.filled.get(at)?;
        }
        let bin = at * BITS + bits.trailing_zeros() as usize;
        let head = *self.heads.get(bin)?;
        if bin < EXACT {
            return head;
        }
        let mut best = Best { len: 0, node: None, found: usize::MAX };
        best.shortest_below(head);
        best.node.map(|node| node.next().unwrap_or(node))
    }
}

/// The best node of a search so far.
struct Best {
    len: usize,
    node: Option<FreeChunk>,
    found: usize,
}

impl Best {
    /// Takes a node if it is better; says whether no other can be.
    #[inline]
    fn look(&mut self, node: FreeChunk) -> bool {
        let len = node.len();
        if len >= self.len && len < self.found {
            (self.node, self.found) = (Some(node), len);
        }
        len == self.len
    }

    /// Looks for the shortest below a node: to the left as far as it goes.
    fn shortest_below(&mut self, mut at: Option<FreeChunk>) {
        while let Some(node) = at {
            self.look(node);
            at = node.child(0).or(node.child(1));
        }
    }
}

/// The chunks of a bin, nodes before what is below them. The words of a chunk are read when the next one is asked for, so
/// that a caller can look first whether they are a chunk's.
pub(super) struct Chunks {
    node: Option<FreeChunk>,
    last: Option<FreeChunk>,
    tree: bool,
}

impl Iterator for Chunks {
    type Item = FreeChunk;

    fn next(&mut self) -> Option<FreeChunk> {
        self.last = match self.last {
            None => self.node,
            Some(last) => last.next().or_else(|| {
                self.node = self.node.filter(|_| self.tree).and_then(next_node);
                self.node
            }),
        };
        self.last
    }
}

/// The node after this one.
fn next_node(mut node: FreeChunk) -> Option<FreeChunk> {
    if let Some(child) = node.child(0).or(node.child(1)) {
        return Some(child);
    }
    loop {
        let parent = node.parent()?;
        match parent.child(1) {
            Some(right) if right != node => return Some(right),
            _ => node = parent,
        }
    }
}
