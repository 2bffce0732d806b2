//! Encrypted content.

use providore_sign::content_coding::{
    self, ContentKey, DecodeError, Decoder, Encoder, RecordSize, Salt,
};

const KEY: ContentKey<'static> = ContentKey::new(b"the sub-key for content");

/// The length of a header without a name.
const HEADER: usize = 21;

/// What to do, where, the record size, the chunks to encode and to decode by, then the content.
///
/// Content arrives whole in whatever chunks; a stranger's never does, nor does one that was
/// changed, and what is released of it before that shows is the beginning of what was encoded.
pub fn content_decoder(data: &[u8]) {
    let [how, at, size, encode_by, decode_by, content @ ..] = data else {
        return;
    };
    let decode_by = usize::from(*decode_by) + 1;
    if *how == 7 {
        let (released, outcome) = decode(content, decode_by);
        assert!(outcome.is_err() && released.is_empty());
        return;
    }
    let size = RecordSize::new(u32::from(*size) + 18).expect("within the limits");
    let coded = encode(content, size, usize::from(*encode_by) + 1, *how == 1);
    let changed = change(&coded, *how, usize::from(*at), size.get());
    let (released, outcome) = decode(&changed, decode_by);
    if changed == coded {
        assert_eq!(outcome, Ok(content.len() as u64));
        assert_eq!(released, content);
        return;
    }
    assert!(content.starts_with(&released));
    if outcome.is_ok() {
        // Nothing depends on the record size if the content is shorter than a record.
        let mut rest = changed;
        rest[16..20].copy_from_slice(&coded[16..20]);
        assert_eq!(rest, coded);
        assert_eq!(released, content);
    }
}

/// The same input: what lies in one buffer is accepted if it is accepted as it comes in, and is
/// then the same content.
pub fn decode_in_place(data: &[u8]) {
    let [how, at, size, encode_by, decode_by, content @ ..] = data else {
        return;
    };
    let mut buffer = if *how == 7 {
        content.to_vec()
    } else {
        let size = RecordSize::new(u32::from(*size) + 18).expect("within the limits");
        let coded = encode(content, size, usize::from(*encode_by) + 1, *how == 1);
        change(&coded, *how, usize::from(*at), size.get())
    };
    let (released, outcome) = decode(&buffer, usize::from(*decode_by) + 1);
    let length = buffer.len();
    match content_coding::decode_in_place(KEY, &mut buffer) {
        Ok(plain) => {
            assert_eq!(plain, released);
            assert_eq!(outcome, Ok(plain.len() as u64));
            assert!(plain.len() < length);
        }
        Err(error) => assert!(outcome.is_err(), "{error} where it lies, not as it comes"),
    }
}

fn change(coded: &[u8], how: u8, at: usize, size: usize) -> Vec<u8> {
    let mut changed = coded.to_vec();
    let place = at % coded.len();
    let records = (coded.len() - HEADER) / size;
    let record = HEADER + at.checked_rem(records).unwrap_or_default() * size;
    match how {
        2 => changed[place] ^= 1 << (at % 8),
        3 => changed.truncate(place),
        4 => changed.insert(place + 1, coded[place]),
        5 if record + 2 * size <= coded.len() => {
            changed[record..record + 2 * size].rotate_left(size);
        }
        6 if records > 0 => {
            let repeated = coded[record..record + size].to_vec();
            changed.splice(record..record, repeated);
        }
        _ => {}
    }
    changed
}

fn encode(content: &[u8], size: RecordSize, chunk: usize, padded: bool) -> Vec<u8> {
    let mut lent = vec![0xff; size.get()];
    let salt = Salt::take(&mut [7; 16]).expect("not used before");
    let (header, mut encoder) = Encoder::begin(&KEY, salt, size, &mut lent).expect("begins");
    let mut coded = header.as_bytes().to_vec();
    for mut chunk in content.chunks(chunk) {
        while let Some(record) = encoder.update(&mut chunk).expect("few records") {
            coded.extend_from_slice(record);
        }
        if padded && let Some(record) = encoder.flush().expect("few records") {
            coded.extend_from_slice(record);
        }
    }
    let last = if padded {
        encoder.finish_padded()
    } else {
        encoder.finish()
    };
    coded.extend_from_slice(last.expect("few records"));
    coded
}

/// What is released, and the outcome.
fn decode(coded: &[u8], chunk: usize) -> (Vec<u8>, Result<u64, DecodeError>) {
    let mut lent = vec![0xff; RecordSize::MAX.get()];
    let mut decoder = Decoder::begin(KEY, &mut lent);
    let mut released = Vec::new();
    for mut chunk in coded.chunks(chunk) {
        loop {
            match decoder.update(&mut chunk) {
                Ok(Some(plain)) => released.extend_from_slice(plain),
                Ok(None) => break,
                Err(error) => return (released, Err(error)),
            }
        }
    }
    let outcome = decoder.finish().map(|(last, decoded)| {
        released.extend_from_slice(last);
        decoded.length()
    });
    (released, outcome)
}
