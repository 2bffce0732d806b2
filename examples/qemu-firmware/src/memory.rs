//! Heap and stack, and how much of them was ever used.

use core::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicUsize, Ordering},
};

use embedded_alloc::LlffHeap;

/// How much memory was used at most since the start, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Of the stack.
    pub stack: usize,
    /// Of the heap.
    pub heap: usize,
}

/// Prepares heap and stack. To be called first in `main`, once.
pub fn prepare() {
    let (start, end) = (
        address_of(&raw const __sheap),
        address_of(&raw const __eheap),
    );
    // SAFETY: the linker set this memory aside for the heap, and nothing was allocated yet.
    unsafe { HEAP.inner.init(start, end.saturating_sub(start)) };

    let here = 0_u32;
    // What this function itself still uses lies within the margin.
    let top = address_of(&raw const here).saturating_sub(MARGIN);
    let mut word = address_of(&raw const __estack);
    while word < top {
        // SAFETY: free stack, below everything that is in use.
        unsafe { (word as *mut u32).write_volatile(PAINT) };
        word = word.saturating_add(size_of::<u32>());
    }
}

/// How much was used.
#[must_use]
pub fn usage() -> Usage {
    let top = address_of(&raw const _stack_start);
    let mut word = address_of(&raw const __estack);
    // SAFETY: words of the stack; the paint that is looked for is of `prepare`.
    while word < top && unsafe { (word as *const u32).read_volatile() } == PAINT {
        word = word.saturating_add(size_of::<u32>());
    }
    Usage {
        stack: top.saturating_sub(word),
        heap: HEAP.peak.load(Ordering::Relaxed),
    }
}

const PAINT: u32 = 0xAAAA_AAAA;
const MARGIN: usize = 256;

unsafe extern "C" {
    static __sheap: u8;
    static __eheap: u8;
    static __estack: u8;
    static _stack_start: u8;
}

fn address_of<T>(place: *const T) -> usize {
    place as usize
}

/// The heap, which notices how much of it is used.
struct Heap {
    inner: LlffHeap,
    peak: AtomicUsize,
}

#[global_allocator]
static HEAP: Heap = Heap {
    inner: LlffHeap::empty(),
    peak: AtomicUsize::new(0),
};

// SAFETY: all of it is done by the heap inside.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let place = unsafe { self.inner.alloc(layout) };
        let used = self.inner.used().max(self.peak.load(Ordering::Relaxed));
        self.peak.store(used, Ordering::Relaxed);
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.inner.dealloc(place, layout) }
    }
}
