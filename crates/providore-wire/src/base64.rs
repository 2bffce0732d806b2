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
    let mut slots = room.iter_mut();
    let mut put = |value: u32| {
        let digit = alphabet.get(usize::try_from(value & 63).unwrap_or_default());
        if let (Some(slot), Some(digit)) = (slots.next(), digit) {
            *slot = *digit;
        }
    };
    // The last `waiting` bits of all so far are in no digit yet.
    let (mut bits, mut waiting) = (0_u32, 0_u32);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        waiting = waiting.wrapping_add(8);
        while waiting >= 6 {
            waiting = waiting.wrapping_sub(6);
            put(bits >> waiting);
        }
    }
    if waiting > 0 {
        put(bits << 6_u32.wrapping_sub(waiting));
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
    let mut slots = room.iter_mut();
    let mut length = 0_usize;
    let mut all = 0;
    // The last `waiting` bits of all so far are in no byte yet.
    let (mut bits, mut waiting) = (0_u32, 0_u32);
    for digit in digits {
        let value = VALUES.get(usize::from(*digit)).copied();
        let value = value.unwrap_or(NO_DIGIT);
        all |= value;
        bits = bits << 6 | u32::from(value);
        waiting = waiting.wrapping_add(6);
        if waiting >= 8 {
            waiting = waiting.wrapping_sub(8);
            length = length.saturating_add(1);
            if let Some(slot) = slots.next() {
                [.., *slot] = (bits >> waiting).to_be_bytes();
            }
        }
    }
    // A digit alone leaves six bits, two leave four, three leave two.
    (all < NO_DIGIT && waiting < 6).then_some(Decoded {
        length,
        exact: bits & (1_u32 << waiting).wrapping_sub(1) == 0,
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
