//! Load from loopback: connections that ask, wait for the whole answer, and ask again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    Outcome,
    measure::{median, now},
};

/// What a load brought.
pub(crate) struct Load {
    /// Answers in a second.
    pub(crate) per_second: f64,
    /// The slowest answer but one in a hundred.
    pub(crate) p99: Duration,
}

/// Sends `request` over `connections` connections for so long.
pub(crate) async fn keep_asking(
    port: u16,
    request: &str,
    connections: usize,
    length: Duration,
) -> Outcome<Load> {
    let request = Arc::new(request.as_bytes().to_vec());
    ask(port, connections, length, move || {
        Some(Arc::clone(&request))
    })
    .await
}

/// Sends each of `requests` once, over `connections` connections, for at most so long.
pub(crate) async fn ask_each(
    port: u16,
    requests: Arc<Vec<Vec<u8>>>,
    connections: usize,
    length: Duration,
) -> Outcome<Load> {
    let next = AtomicUsize::new(0);
    ask(port, connections, length, move || {
        let index = next.fetch_add(1, Ordering::Relaxed);
        requests.get(index).cloned().map(Arc::new)
    })
    .await
}

async fn ask(
    port: u16,
    connections: usize,
    length: Duration,
    next: impl Fn() -> Option<Arc<Vec<u8>>> + Send + Sync + 'static,
) -> Outcome<Load> {
    let next = Arc::new(next);
    let mut tasks = JoinSet::new();
    let began = now();
    for _ in 0..connections {
        let next = Arc::clone(&next);
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true)?;
            let mut times = Vec::new();
            let mut buffer = Vec::with_capacity(64 * 1024);
            while began.elapsed() < length
                && let Some(request) = next()
            {
                let asked = now();
                stream.write_all(&request).await?;
                read_answer(&mut stream, &mut buffer).await?;
                times.push(asked.elapsed());
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    let elapsed = began.elapsed();
    times.sort();
    let p99 = times
        .get(times.len().saturating_mul(99) / 100)
        .copied()
        .unwrap_or_default();
    Ok(Load {
        per_second: times.len() as f64 / elapsed.as_secs_f64(),
        p99,
    })
}

/// The head of one answer, whatever it says.
pub(crate) async fn fetch_head(port: u16, request: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = Vec::new();
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok(String::from_utf8_lossy(buffer.get(..end).unwrap_or_default()).into());
        }
    }
}

/// Downloads once; the time it took.
pub(crate) async fn download(port: u16, request: &str) -> Outcome<Duration> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let began = now();
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = Vec::with_capacity(1024 * 1024);
    read_answer(&mut stream, &mut buffer).await?;
    Ok(began.elapsed())
}

/// The median of several downloads.
pub(crate) async fn downloads(port: u16, request: &str, rounds: usize) -> Outcome<Duration> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        times.push(download(port, request).await?);
    }
    Ok(median(times))
}

/// Reads one answer with a content length; it must be a 200.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Outcome {
    buffer.clear();
    let (head, length) = loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = std::str::from_utf8(buffer.get(..end).unwrap_or_default())?;
            if !head.starts_with("HTTP/1.1 200") {
                return Err(format!("not an answer to measure: {head}").into());
            }
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.trim().parse::<usize>().ok())
                .ok_or("an answer without content-length")?;
            break (end.saturating_add(4), length);
        }
    };
    let mut left = head.saturating_add(length).saturating_sub(buffer.len());
    while left > 0 {
        buffer.clear();
        let read = stream.read_buf(buffer).await?;
        if read == 0 {
            return Err("the answer ends too early".into());
        }
        left = left.saturating_sub(read);
    }
    Ok(())
}
