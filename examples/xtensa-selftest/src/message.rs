//! Messages of HTTP/1.1 as the vectors have them, read in place.

/// A message: its first line, the lines of its fields, and its content.
#[derive(Clone, Copy)]
pub(crate) struct Message<'m> {
    pub(crate) first: &'m str,
    head: &'m str,
    pub(crate) body: &'m [u8],
}

impl<'m> Message<'m> {
    pub(crate) fn parse(bytes: &'m [u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = core::str::from_utf8(bytes.get(..end)?).ok()?;
        let (first, head) = head.split_once("\r\n")?;
        let body = bytes.get(end + 4..)?;
        Some(Self { first, head, body })
    }

    /// Method and target.
    pub(crate) fn request(&self) -> Option<(&'m str, &'m str)> {
        let (method, rest) = self.first.split_once(' ')?;
        Some((method, rest.strip_suffix(" HTTP/1.1")?))
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.first.split(' ').nth(1)?.parse().ok()
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'m str, &'m [u8])> + Clone + use<'m> {
        self.head.split("\r\n").filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name, value.trim_matches([' ', '\t']).as_bytes()))
        })
    }

    pub(crate) fn field(&self, name: &str) -> Option<&'m [u8]> {
        let mut fields = self.fields();
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }
}
