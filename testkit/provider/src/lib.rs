//! A made-up OAuth 2 provider.
//!
//! Owns a loopback port: it answers as a test says, path by path, and writes down what it is asked. Knows nothing of
//! tokens; what real providers say in their own way stands in [`said`].

pub mod said;

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// GET or POST.
    pub method: String,
    /// The path with its query.
    pub target: String,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// A header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// The fields of the form, in their order.
    pub fn fields(&self) -> Vec<(String, String)> {
        form(&String::from_utf8_lossy(&self.body))
    }

    /// The field of the form that has this name, if exactly one has.
    pub fn field(&self, name: &str) -> Option<String> {
        let mut found = self.fields().into_iter().filter(|(key, _)| key == name);
        let first = found.next().map(|(_, value)| value);
        first.filter(|_| found.next().is_none())
    }
}

/// Reads a form or a query.
pub fn form(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (plain(name), plain(value))
        })
        .collect()
}

fn plain(text: &str) -> String {
    let (mut octets, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, others @ ..] = rest {
        rest = others;
        octets.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, others) = rest.split_at(2.min(rest.len()));
                rest = others;
                let digits = str::from_utf8(digits).unwrap_or_default();
                u8::from_str_radix(digits, 16).unwrap_or(b'?')
            }
            other => *other,
        });
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields beside the length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long it takes from octet to octet.
    pub trickle: Option<Duration>,
}

impl Answer {
    /// JSON.
    pub fn json(status: u16, text: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: text.into().into_bytes(),
            trickle: None,
        }
    }

    /// Something else.
    pub fn other(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".into(), kind.into())],
            body: body.into(),
            trickle: None,
        }
    }

    /// With another header field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

#[derive(Default)]
struct Inner {
    asked: Mutex<Vec<Asked>>,
    answers: Mutex<HashMap<String, VecDeque<Answer>>>,
    /// Answers in the place of those.
    by: Option<Box<By>>,
    is_over: AtomicBool,
}

type By = dyn Fn(&str, &Asked) -> Answer + Send + Sync;

/// The provider. It ends when it is dropped.
pub struct Provider {
    address: SocketAddr,
    inner: Arc<Inner>,
}

impl Provider {
    /// One that answers 404 so far.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub fn start() -> Self {
        Self::with(None)
    }

    /// One whose answers are made from its address and what it is asked.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub fn by(answer: impl Fn(&str, &Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(Some(Box::new(answer)))
    }

    fn with(by: Option<Box<By>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.expect("a port of the loopback interface");
        let address = listener.local_addr().expect("its own address");
        let inner = Arc::new(Inner {
            by,
            ..Inner::default()
        });
        let shared = Arc::clone(&inner);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                // who goes away meanwhile is no trouble
                thread::spawn(move || serve(stream, address, &shared));
            }
        });
        Self { address, inner }
    }

    /// The address of this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers this at that path, after what was said before. The last answer of a path stays.
    pub fn answer(&self, path: &str, answer: Answer) -> &Self {
        let mut answers = lock(&self.inner.answers);
        answers.entry(path.into()).or_default().push_back(answer);
        drop(answers);
        self
    }

    /// Forgets the answers of a path.
    pub fn forget(&self, path: &str) -> &Self {
        lock(&self.inner.answers).remove(path);
        self
    }

    /// What it was asked since the last time.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut lock(&self.inner.asked))
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.inner.is_over.store(true, Ordering::SeqCst);
        // so that it looks
        drop(TcpStream::connect(self.address));
    }
}

fn serve(mut stream: TcpStream, address: SocketAddr, inner: &Inner) -> Option<()> {
    let asked = read(&stream)?;
    if let Some(by) = &inner.by {
        return say(&mut stream, &by(&format!("http://{address}"), &asked));
    }
    let path = asked
        .target
        .split('?')
        .next()
        .unwrap_or_default()
        .to_owned();
    lock(&inner.asked).push(asked);
    let answer = {
        let mut answers = lock(&inner.answers);
        match answers.get_mut(&path) {
            Some(queue) if queue.len() > 1 => queue.pop_front(),
            Some(queue) => queue.front().cloned(),
            None => None,
        }
    };
    let answer = answer.unwrap_or_else(|| Answer::other(404, "text/html", "<h1>Not found</h1>"));
    say(&mut stream, &answer)
}

fn say(stream: &mut TcpStream, answer: &Answer) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} Said\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        answer.body.len()
    ));
    stream.write_all(head.as_bytes()).ok()?;
    match answer.trickle {
        None => stream.write_all(&answer.body).ok()?,
        Some(pause) => {
            for octet in &answer.body {
                stream.write_all(&[*octet]).ok()?;
                thread::sleep(pause);
            }
        }
    }
    Some(())
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut asked = Asked {
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = asked.header("content-length").unwrap_or("0").parse().ok()?;
    reader.take(length).read_to_end(&mut asked.body).ok()?;
    Some(asked)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
