//! Arithmetic that compilers for Xtensa are known to get wrong: wide division above all.

use core::hint::black_box;

use crate::transcript::{Report, Transcript};

const NUMBERS: [u128; 8] = [
    1,
    3,
    u32::MAX as u128,
    1 << 32,
    0x0123_4567_89ab_cdef,
    u64::MAX as u128 + 1,
    0xfedc_ba98_7654_3210_0123_4567_89ab_cdef,
    u128::MAX,
];

pub(crate) fn run(report: &mut Report<'_>) {
    report.check("arithmetic", "128 bits", |transcript| {
        for a in NUMBERS {
            for b in NUMBERS {
                wide(black_box(a), black_box(b), transcript);
                signed(black_box(a) as i128, black_box(b) as i128, transcript);
            }
        }
    });
    report.check("arithmetic", "64 bits", |transcript| {
        for a in NUMBERS {
            for b in NUMBERS {
                narrow(black_box(a) as u64 | 1, black_box(b) as u64 | 1, transcript);
            }
        }
    });
}

fn wide(a: u128, b: u128, transcript: &mut Transcript) {
    let (quotient, rest) = (a / b, a % b);
    let product = quotient.wrapping_mul(b).wrapping_add(rest);
    transcript.require("a quotient", product == a && rest < b);
    for value in [
        quotient,
        rest,
        a.wrapping_mul(b),
        a >> (b & 127),
        a << (b & 127),
    ] {
        transcript.note(&value.to_be_bytes());
    }
}

fn signed(a: i128, b: i128, transcript: &mut Transcript) {
    let (quotient, rest) = (a.wrapping_div(b), a.wrapping_rem(b));
    let product = quotient.wrapping_mul(b).wrapping_add(rest);
    transcript.require("a quotient with a sign", product == a);
    transcript.note(&quotient.to_be_bytes());
    transcript.note(&rest.to_be_bytes());
}

fn narrow(a: u64, b: u64, transcript: &mut Transcript) {
    let (quotient, rest) = (a / b, a % b);
    transcript.require("a quotient", quotient * b + rest == a && rest < b);
    for value in [
        quotient,
        rest,
        a.wrapping_mul(b),
        a.rotate_left((b & 63) as u32),
    ] {
        transcript.note(&value.to_be_bytes());
    }
}
