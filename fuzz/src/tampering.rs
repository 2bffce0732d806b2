//! One bit of a message, changed on its way.

use providore_testkit::parties::Message;
use providore_wire::Target;

/// Flips a bit of the request, counted over all of its parts. `None` if that changes nothing that
/// is looked at, or if no HTTP library would hand over what comes of it.
pub(crate) fn flip_request(message: &Message, bit: usize) -> Option<Message> {
    let mut changed = message.clone();
    let mut method = changed.method.into_bytes();
    let mut target = changed.target.into_bytes();
    flip_one(
        vec![&mut method, &mut target],
        &mut changed.fields,
        &mut changed.body,
        bit,
    )?;
    changed.method = String::from_utf8(method).ok()?;
    changed.target = String::from_utf8(target).ok()?;
    // In absolute form there is a host, which is the business of proxies.
    let parsed = |target| Target::parse(target).ok();
    let same =
        changed.target != message.target && parsed(&changed.target) == parsed(&message.target);
    (!same).then_some(changed)
}

/// Flips a bit of one of `parts`, of a name or a value of `fields`, or of `body`.
pub(crate) fn flip_one(
    parts: Vec<&mut Vec<u8>>,
    fields: &mut [(String, Vec<u8>)],
    body: &mut [u8],
    bit: usize,
) -> Option<()> {
    let in_parts: usize = parts.iter().map(|part| part.len()).sum();
    let in_fields = fields
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum::<usize>();
    let mut at = (bit / 8).checked_rem(in_parts + in_fields + body.len())?;
    let mask = 1 << (bit % 8);
    for part in parts {
        if let Some(byte) = part.get_mut(at) {
            *byte ^= mask;
            return Some(());
        }
        at -= part.len();
    }
    for (name, value) in fields {
        let mut changed = name.clone().into_bytes();
        if let Some(byte) = changed.get_mut(at) {
            *byte ^= mask;
            let changed = String::from_utf8(changed).ok()?;
            // The case of a name has no meaning.
            let other = !changed.eq_ignore_ascii_case(name);
            *name = changed;
            return other.then_some(());
        }
        at -= name.len();
        if value.len() > at {
            value[at] ^= mask;
            return Some(());
        }
        at -= value.len();
    }
    *body.get_mut(at)? ^= mask;
    Some(())
}
