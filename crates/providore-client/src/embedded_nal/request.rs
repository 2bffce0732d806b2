//! Writing a request (RFC 9112, section 3).

use embedded_io_async::Write;
use providore_wire::Method;

use super::broken;
use crate::{Request, ServerAddress, TransportError};

/// Writes the request: its head through `buffer`, in as few pieces as fit, then its body.
pub(super) async fn write<C: Write>(
    connection: &mut C,
    server: &ServerAddress,
    request: &Request<'_>,
    buffer: &mut [u8],
) -> Result<(), TransportError> {
    let mut head = Gathering {
        connection,
        buffer,
        length: 0,
    };
    head.put(request.method().as_str()).await?;
    head.put(" ").await?;
    head.put(request.target()).await?;
    head.put(" HTTP/1.1\r\nhost: ").await?;
    head.put(server.authority()).await?;
    head.put("\r\n").await?;
    head.put(request.lines()).await?;
    let body = request.body();
    if !body.is_empty() || request.method() == Method::Post {
        let mut digits = [0; 20];
        head.put("content-length: ").await?;
        head.put(decimal(body.len(), &mut digits)).await?;
        head.put("\r\n").await?;
    }
    // One request per connection: no answer can be taken for that to another request.
    head.put("connection: close\r\n\r\n").await?;
    head.send().await?;
    write_all(connection, body).await?;
    connection.flush().await.map_err(|error| broken(&error))
}

/// Small pieces on their way, which shall not become small packets.
struct Gathering<'g, C> {
    connection: &'g mut C,
    buffer: &'g mut [u8],
    length: usize,
}

impl<C: Write> Gathering<'_, C> {
    async fn put(&mut self, text: &str) -> Result<(), TransportError> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let free = self.buffer.get_mut(self.length..).unwrap_or_default();
            let length = free.len().min(rest.len());
            if length == 0 && self.length == 0 {
                return Err(TransportError::request());
            }
            let (now, later) = rest.split_at(length);
            for (slot, byte) in free.iter_mut().zip(now) {
                *slot = *byte;
            }
            self.length = self.length.saturating_add(length);
            rest = later;
            if !rest.is_empty() {
                self.send().await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), TransportError> {
        let gathered = self.buffer.get(..self.length).unwrap_or_default();
        self.length = 0;
        write_all(self.connection, gathered).await
    }
}

/// The trait's own `write_all` panics where a stack takes nothing.
async fn write_all<C: Write>(connection: &mut C, mut bytes: &[u8]) -> Result<(), TransportError> {
    while !bytes.is_empty() {
        let written = connection.write(bytes).await;
        let written = written.map_err(|error| broken(&error))?;
        bytes = match bytes.get(written..) {
            Some(rest) if written > 0 => rest,
            _ => return Err(TransportError::interrupted()),
        };
    }
    Ok(())
}

/// A number in decimal, without the machinery of `fmt`.
fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &str {
    let mut start = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        let value = u8::try_from(number.rem_euclid(10)).unwrap_or(0);
        *digit = b'0'.saturating_add(value);
        start = at;
        number = number.div_euclid(10);
        if number == 0 {
            break;
        }
    }
    let written = digits.get(start..).unwrap_or_default();
    core::str::from_utf8(written).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_fmt_writes_them() {
        for (number, expected) in [
            (0, "0"),
            (7, "7"),
            (10, "10"),
            (432, "432"),
            (u32::MAX as usize, "4294967295"),
        ] {
            assert_eq!(decimal(number, &mut [0; 20]), expected);
        }
    }
}
