//! Messages of HTTP/1.1, read and written as plainly as possible.

/// A request as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests write messages as literals"
)]
pub struct RequestMessage {
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// All fields, in order.
    pub fields: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

/// A response as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests write messages as literals"
)]
pub struct ResponseMessage {
    /// The status.
    pub status: u16,
    /// What stands behind it.
    pub reason: String,
    /// All fields, in order.
    pub fields: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

impl RequestMessage {
    /// Reads a message that has its whole content behind its head.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let (first, fields, body) = read(bytes);
        let words: Vec<_> = first.split(' ').collect();
        assert_eq!(words[2], "HTTP/1.1");
        Self {
            method: words[0].into(),
            target: words[1].into(),
            fields,
            body,
        }
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let first = format!("{} {} HTTP/1.1", self.method, self.target);
        write(&first, &self.fields, &self.body)
    }

    /// All fields, as the parsers take them.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        borrowed(&self.fields)
    }
}

impl ResponseMessage {
    /// Reads a message that has its whole content behind its head.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let (first, fields, body) = read(bytes);
        let words: Vec<_> = first.splitn(3, ' ').collect();
        assert_eq!(words[0], "HTTP/1.1");
        Self {
            status: words[1].parse().expect("a status"),
            reason: words[2].into(),
            fields,
            body,
        }
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let first = format!("HTTP/1.1 {} {}", self.status, self.reason);
        write(&first, &self.fields, &self.body)
    }

    /// All fields, as the parsers take them.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        borrowed(&self.fields)
    }
}

fn borrowed(fields: &[(String, String)]) -> impl Iterator<Item = (&str, &[u8])> + Clone {
    let fields = fields.iter();
    fields.map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn read(bytes: &[u8]) -> (String, Vec<(String, String)>, Vec<u8>) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.expect("an empty line behind the head");
    let head = core::str::from_utf8(&bytes[..end]).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let first = lines.next().expect("a first line").into();
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(':').expect("a field");
        (name.into(), value.trim_matches([' ', '\t']).into())
    });
    (first, fields.collect(), bytes[end + 4..].to_vec())
}

fn write(first: &str, fields: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    let head = format!("{first}\r\n{}\r\n", fields.collect::<String>());
    [head.as_bytes(), body].concat()
}
