//! Base64 (RFC 4648 sections 4 and 5), for signatures, digests and nonces.
//!
//! What is decoded here came in clear or goes out in clear, so a look into a table tells nobody
//! anything. A general engine takes ten times the code.

/// The digits of section 4.
pub(crate) const STANDARD: &[u8; 64] = &alphabet(b'+', b'/');

/// The digits of section 5.
pub(crate) const URL_SAFE: &[u8; 64] = &alphabet(b'-', b'_');

/// Writes the digits of `bytes` to the front of `room`, without padding, as far as they fit. How
/// many there are.
pub(crate) fn encode(alphabet: &[u8; 64], bytes: &[u8], room: &mut [u8]) -> usize {
    for (triple, digits) in bytes.chunks(3).zip(room.chunks_mut(4)) {
        let mut padded = [0; 3];
        for (slot, byte) in padded.iter_mut().zip(triple) {
            *slot = *byte;
        }
        let [a, b, c] = padded;
        let values = [a >> 2, a << 4 | b >> 4, b << 2 | c >> 6, c];
        let count = triple.len().saturating_add(1);
        for (digit, value) in digits.iter_mut().zip(values).take(count) {
            *digit = *alphabet.get(usize::from(value & 63)).unwrap_or(&0);
        }
    }
    bytes.len().saturating_mul(8).div_ceil(6)
}

/// What [`decode`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// How many bytes there are.
    pub(crate) length: usize,
    /// Whether the bits behind the last byte are zero.
    pub(crate) exact: bool,
}

/// Writes the bytes behind `digits`, which have no padding, to the front of `room`, as far as they
/// fit. `None` if a digit is in neither alphabet, or one is left over.
pub(crate) fn decode(digits: &[u8], room: &mut [u8]) -> Option<Decoded> {
    let mut all = 0;
    let mut last = [0; 3];
    let mut slots = room.iter_mut();
    let (groups, rest) = digits.as_chunks();
    for group in groups {
        for (byte, slot) in bytes_of(*group, &mut all)
            .iter()
            .zip(slots.by_ref().take(3))
        {
            *slot = *byte;
        }
    }
    let kept = match rest.len() {
        0 => 0,
        2 => 1,
        3 => 2,
        _ => return None,
    };
    if kept > 0 {
        let mut group = [b'A'; 4];
        for (slot, digit) in group.iter_mut().zip(rest) {
            *slot = *digit;
        }
        last = bytes_of(group, &mut all);
        for (byte, slot) in last.iter().take(kept).zip(slots) {
            *slot = *byte;
        }
    }
    (all < NO_DIGIT).then_some(Decoded {
        length: groups.len().saturating_mul(3).saturating_add(kept),
        exact: last.iter().skip(kept).all(|byte| *byte == 0),
    })
}

/// Exactly `N` bytes in the one spelling that they have in this alphabet.
pub(crate) fn decode_exact<const N: usize>(alphabet: &[u8; 64], digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    decode_all(alphabet, digits, &mut bytes).then_some(bytes)
}

/// Whether these digits are, in the one spelling of this alphabet, as many bytes as `room` has: they
/// are in there then.
#[cfg_attr(not(feature = "any-spelling"), inline(never))]
pub(crate) fn decode_all(alphabet: &[u8; 64], digits: &[u8], room: &mut [u8]) -> bool {
    let (plus, slash) = match alphabet {
        [.., b'+', b'/'] => (b'-', b'_'),
        _ => (b'+', b'/'),
    };
    let foreign = |digit: &u8| *digit == plus || *digit == slash;
    if digits.iter().any(foreign) {
        return false;
    }
    let decoded = decode(digits, room);
    decoded.is_some_and(|decoded| decoded.length == room.len() && decoded.exact)
}

fn bytes_of(digits: [u8; 4], all: &mut u8) -> [u8; 3] {
    let value = |digit: u8| VALUES.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT);
    let [a, b, c, d] = digits.map(value);
    *all |= a | b | c | d;
    [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]
}

/// Above the value of every digit, in a bit that none of them has.
const NO_DIGIT: u8 = 64;

const fn alphabet(plus: u8, slash: u8) -> [u8; 64] {
    let mut digits = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789..";
    digits[62] = plus;
    digits[63] = slash;
    digits
}

/// Of both alphabets: what stands in the wrong one is found by whoever minds.
#[expect(clippy::indexing_slicing, reason = "the compiler makes the table")]
static VALUES: [u8; 128] = {
    let mut values = [NO_DIGIT; 128];
    let mut value = 0_u8;
    while value < 64 {
        values[STANDARD[value as usize] as usize] = value;
        values[URL_SAFE[value as usize] as usize] = value;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::vec::Vec;

    use base64::{
        Engine as _,
        engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
    };
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn bytes_are_written_as_an_independent_encoder_does(bytes in vec(any::<u8>(), 0..100)) {
            let mut room = [0; 140];
            let length = encode(STANDARD, &bytes, &mut room);
            let theirs = STANDARD_NO_PAD.encode(&bytes);
            prop_assert_eq!(&room[..length], theirs.as_bytes());
            let length = encode(URL_SAFE, &bytes, &mut room);
            let theirs = URL_SAFE_NO_PAD.encode(&bytes);
            prop_assert_eq!(&room[..length], theirs.as_bytes());
        }

        #[test]
        fn digits_are_read_as_an_independent_decoder_does(
            digits in vec(prop_oneof![9 => proptest::sample::select(STANDARD.as_slice()), 1 => any::<u8>()], 0..60)
        ) {
            let digits: Vec<u8> = digits;
            let mut room = [0; 60];
            let ours = decode(&digits, &mut room).filter(|decoded| {
                decoded.exact && !digits.iter().any(|digit| b"-_".contains(digit))
            });
            let theirs = STANDARD_NO_PAD.decode(&digits).ok();
            prop_assert_eq!(ours.map(|decoded| &room[..decoded.length]), theirs.as_deref());
        }
    }

    #[test]
    fn bits_behind_the_last_byte_are_told() {
        let check = |digits: &[u8], expected: Option<(usize, bool)>| {
            let decoded = decode(digits, &mut [0; 8]);
            assert_eq!(decoded.map(|it| (it.length, it.exact)), expected);
        };
        check(b"", Some((0, true)));
        check(b"AA", Some((1, true)));
        check(b"AB", Some((1, false)));
        check(b"AAAAAAE", Some((5, true)));
        check(b"AAAAAAF", Some((5, false)));
        check(b"A", None);
        check(b"AA==", None);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_left_out() {
        let mut room = [7; 4];
        assert_eq!(decode(b"AAAAAAAA", &mut room).unwrap().length, 6);
        assert_eq!(room, [0; 4]);
        assert_eq!(decode_exact::<4>(STANDARD, b"AAAAAAAA"), None);
        assert_eq!(decode_exact::<6>(STANDARD, b"AAAAAAAA"), Some([0; 6]));
    }
}
