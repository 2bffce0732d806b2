//! Where the emulator's devices are, and the memory that is shared with them.

use core::{
    cell::UnsafeCell,
    ptr::NonNull,
    sync::atomic::{AtomicUsize, Ordering},
};

use virtio_drivers::{
    BufferDirection, Hal, PAGE_SIZE, PhysAddr,
    transport::{
        DeviceType, Transport as _,
        mmio::{MmioTransport, VirtIOHeader},
    },
};

/// What a device is reached through.
pub type Port = MmioTransport<'static>;

/// The first device of a kind.
pub fn find(kind: DeviceType) -> Option<Port> {
    PORTS.iter().find_map(|&address| {
        let header = NonNull::new(address as *mut VirtIOHeader)?;
        // SAFETY: the board has the registers of a device there, or of the lack of one. Each kind
        // is asked for once.
        let port = unsafe { MmioTransport::new(header, PORT_LEN) }.ok()?;
        (port.device_type() == kind).then_some(port)
    })
}

const PORT_LEN: usize = 0x1000;
const PORTS: [usize; 8] = [
    0x1000_1000,
    0x1000_2000,
    0x1000_3000,
    0x1000_4000,
    0x1000_5000,
    0x1000_6000,
    0x1000_7000,
    0x1000_8000,
];

/// Memory for queues: pages that are handed out once and never come back. Drivers live as long as
/// the program.
pub struct Memory;

/// Two pages for each queue: two of the network card, one of the generator.
const PAGES: usize = 6;

#[repr(C, align(4096))]
struct Pool(UnsafeCell<[u8; PAGES * PAGE_SIZE]>);

// SAFETY: each page has one owner, to whom `dma_alloc` gave it.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool(UnsafeCell::new([0; PAGES * PAGE_SIZE]));
static GIVEN: AtomicUsize = AtomicUsize::new(0);

// SAFETY: addresses are the same for the board and its devices; `dma_alloc` gives each page once,
// aligned and zeroed.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // One thread: nobody comes between.
        let first = GIVEN.load(Ordering::Relaxed);
        let next = first.saturating_add(pages);
        assert!(next <= PAGES, "more queues than memory for them");
        GIVEN.store(next, Ordering::Relaxed);
        // SAFETY: within the pool, as was just checked.
        let start = unsafe {
            POOL.0
                .get()
                .cast::<u8>()
                .add(first.saturating_mul(PAGE_SIZE))
        };
        (
            start as PhysAddr,
            NonNull::new(start).expect("a static has an address"),
        )
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        let address = usize::try_from(address).expect("32 bits");
        NonNull::new(address as *mut u8).expect("no device is at address 0")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.as_ptr().cast::<u8>() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}
