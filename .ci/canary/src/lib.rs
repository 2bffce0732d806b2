//! A program for a machine without an operating system, which is built for the host.
//!
//! It has its own panic handler and no allocator. If a device crate, or anything that one depends
//! on, links std with its default features, there are two panic handlers; if one links alloc, there
//! is no allocator. Either way it does not build, and the error names the crate that did it.
#![no_std]
#![forbid(unsafe_code)]

// Not used is not linked: each crate is named.
extern crate providore_client as _;
extern crate providore_pki as _;
extern crate providore_sign as _;
extern crate providore_wire as _;
extern crate time as _;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
