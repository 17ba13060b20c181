//! A global allocator that wipes what is freed while secrets are handled.
//!
//! A program wipes its own copies of a secret. Libraries that carry it (TLS, HTTP, parsers) free theirs as they are,
//! and what was freed stays readable until something else is written there: for days, in a quiet process. Wiping
//! everything that is ever freed would cost every message that passes. So this allocator wipes only what a thread
//! frees while it works inside of [`wiped`]; at all other times it looks at one flag of the thread, and is the
//! system's allocator.
//!
//! Owns that flag. Never wipes what is still in use, what another thread frees, or what is freed afterwards: what
//! handles a secret is made and dropped inside.
//!
//! ```
//! use wiping_alloc::{Wiping, wiped};
//!
//! #[global_allocator]
//! static HEAP: Wiping = Wiping;
//!
//! let length = wiped(|| {
//!     // a request to a provider of tokens, say
//!     let answer = String::from("access_token=5d41402abc4b2a76b9719d911017c592");
//!     answer.len()
//! });
//! assert_eq!(length, 45);
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use zeroize::Zeroize as _;

thread_local! {
    /// How many [`wiped`] are around what this thread does. Needs no destructor: it is there as long as the thread is.
    static AROUND: Cell<u32> = const { Cell::new(0) };
}

/// Does this work; all that this thread frees meanwhile is wiped. May stand inside of another one.
///
/// Without [`Wiping`] as the program's allocator it does the work and nothing else.
///
/// # Panics
///
/// Where the work does; wiping ends then, too.
pub fn wiped<T>(work: impl FnOnce() -> T) -> T {
    /// Ends it, whatever comes.
    struct Around;

    impl Drop for Around {
        fn drop(&mut self) {
            AROUND.set(AROUND.get() - 1);
        }
    }

    AROUND.set(AROUND.get() + 1);
    let _around = Around;
    work()
}

/// The system's allocator, which wipes inside of [`wiped`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Wiping;

// SAFETY: every call goes on to the system's allocator with the same layout. Before a block is given back there, and
// only then, zeros are written into it: the caller has no use for it any more, and it is as long as its layout says.
// Nothing here allocates, and nothing panics.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if AROUND.get() != 0 {
            // SAFETY: the block is the caller's, who gives it up, and has this many octets.
            unsafe { wipe(block, layout.size()) };
        }
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if AROUND.get() == 0 {
            // SAFETY: as the caller promises.
            return unsafe { System.realloc(block, layout, size) };
        }
        // where the system moves a block it leaves the old one as it is, so it is moved here
        // SAFETY: the size is not zero and does not overflow with this alignment, as the caller promises.
        let moved =
            unsafe { System.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: two blocks, each at least so long; the old one is the caller's and was made by this allocator.
            unsafe {
                std::ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}

/// Writes zeros that no optimisation leaves out.
///
/// # Safety
///
/// So many octets are there, and nobody else uses them.
#[cold]
unsafe fn wipe(block: *mut u8, size: usize) {
    // octets that were never written are not read here, and may be written
    // SAFETY: as promised; `MaybeUninit` needs no octet to have a value.
    let octets =
        unsafe { std::slice::from_raw_parts_mut(block.cast::<std::mem::MaybeUninit<u8>>(), size) };
    octets.zeroize();
}
