//! How an input is read as header fields.

/// The lines up to the first empty one, and what follows it.
pub(crate) fn head_and_body(data: &[u8]) -> (&[u8], &[u8]) {
    match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, b""),
    }
}

/// `name: value` in every line; lines of another kind are left out.
pub(crate) fn fields(head: &[u8]) -> Vec<(&str, &[u8])> {
    head.split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = core::str::from_utf8(&line[..colon]).ok()?;
            Some((name, &line[colon + 1..]))
        })
        .collect()
}

/// The value of the one field of this name, without the blanks around it.
pub(crate) fn value<'a>(fields: &[(&str, &'a [u8])], name: &str) -> Option<&'a [u8]> {
    let mut values = fields
        .iter()
        .filter(|(field, _)| field.eq_ignore_ascii_case(name));
    let &(_, mut value) = values.next()?;
    assert!(values.next().is_none(), "{name} was accepted twice");
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    Some(value)
}
