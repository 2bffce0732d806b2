//! Does what its features say, once, on a machine without an operating system.
//!
//! `measure` builds it with one set of features after another and looks at what is added to the
//! program without any. All that goes in passes `black_box`, so that nothing is known while it is
//! built, and what comes out is compared: the exit status says whether all of it worked.
#![no_std]
#![no_main]

mod board;
#[cfg(feature = "client-config")]
mod client;
#[cfg(feature = "count")]
mod count;
#[cfg(feature = "manifest")]
mod manifest;
#[cfg(feature = "original")]
mod original;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "signed")]
mod signed;

use core::hint::black_box;

#[cfg(target_arch = "arm")]
use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
use riscv_rt::entry;

/// What the caller lends, in every set of features: it is not counted.
pub(crate) struct Buffers {
    /// A body as it was received.
    pub(crate) body: [u8; 128],
    /// The headers of a request; then one record of encrypted content.
    pub(crate) record: [u8; 4096],
}

/// What a server would say to exactly the questions that are asked here: script/make.py.
pub(crate) const ANSWERS: [&[u8]; 3] = [
    include_bytes!("../script/config.http"),
    include_bytes!("../script/check.http"),
    include_bytes!("../script/image.http"),
];

/// A request and its response: a head with lines that end in CR LF, an empty line, a body.
pub(crate) struct Exchange {
    #[cfg_attr(
        not(feature = "server"),
        expect(dead_code, reason = "a device makes its requests itself")
    )]
    pub(crate) request: &'static [u8],
    pub(crate) response: &'static [u8],
}

#[entry]
fn main() -> ! {
    let mut buffers = Buffers {
        body: [0; 128],
        record: [0; 4096],
    };
    let exchange = Exchange {
        request: include_bytes!(
            "../../../crates/providore-testkit/vectors/signed/config-clock-200/request.http"
        ),
        response: include_bytes!(
            "../../../crates/providore-testkit/vectors/signed/config-clock-200/response.http"
        ),
    };
    let worked = run(black_box(&exchange), black_box(&mut buffers));
    semihosting::process::exit(if worked.is_some() { 0 } else { 1 })
}

#[inline(never)]
fn run(exchange: &Exchange, buffers: &mut Buffers) -> Option<()> {
    let (head, body) = parts(exchange.response)?;
    // What reads a message is the caller's own: it is in every set of features.
    let length = black_box(fields(head)).fold(0_usize, |sum, (name, value)| {
        sum.wrapping_add(name.len()).wrapping_add(value.len())
    });
    black_box(length);
    // So is the board, and what the server says.
    board::boot(black_box(&mut buffers.record))?;
    let received = buffers.body.get_mut(..body.len())?;
    received.copy_from_slice(body);
    #[cfg(feature = "original")]
    original::device(&mut buffers.record)?;
    #[cfg(feature = "count")]
    return count::rows(head, received, &mut buffers.record);
    #[cfg(all(feature = "signed", not(feature = "count")))]
    signed::device(head, received, &mut buffers.record)?;
    #[cfg(feature = "client-config")]
    {
        let (document, chunk) = buffers.record.split_at_mut_checked(2048)?;
        client::device(document, chunk)?;
    }
    #[cfg(all(feature = "manifest", not(feature = "count")))]
    manifest::device()?;
    #[cfg(feature = "server")]
    server::server(exchange, &mut buffers.record)?;
    #[cfg(not(feature = "count"))]
    {
        black_box(received);
        black_box(&buffers.record);
        Some(())
    }
}

/// Head and body of a message.
pub(crate) fn parts(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((message.get(..end)?, message.get(end.wrapping_add(4)..)?))
}

/// The fields of a head.
#[inline(never)]
pub(crate) fn fields(head: &[u8]) -> impl Iterator<Item = (&str, &[u8])> + Clone {
    head.split(|byte| *byte == b'\n')
        .skip(1)
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = core::str::from_utf8(line.get(..colon)?).ok()?;
            Some((name, line.get(colon.wrapping_add(1)..)?.trim_ascii()))
        })
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    semihosting::process::exit(101)
}
