//! `sign-in`: a person signs in at the provider, so that the gateway may open the mailbox from now on.
//!
//! Owns the dialogue with the person: the link or the code, the way back over this machine's loopback or by pasting.
//! What comes of it is put into the state, which a running gateway looks at. Shows no token.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use gateway_state::GrantId;

use crate::cli::tools::SignIn;
use crate::config::Config;
#[cfg(feature = "http")]
use crate::oauth::Records;
use crate::oauth::claims::Claims;
use crate::oauth::{Authority, CallBack, Flow, Obtained, Polled, Refusal};
#[cfg(feature = "http")]
use crate::pages::invite;
use crate::tools::devices::{records, upstream};
use crate::{Failure, print};

/// How long a person may take with a browser.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// The longest request of a browser that is read, in octets.
const MAX_REQUEST: u64 = 64 * 1024;

/// Runs `sign-in`.
pub fn run(arguments: &SignIn) -> Result<(), Failure> {
    let config = Config::load(&arguments.file.config)?;
    let signs_in = |name: &String| {
        let grant = config.grants.iter().find(|own| own.name == *name)?;
        let provider = config
            .providers
            .iter()
            .find(|own| own.provider.name == grant.provider)?;
        Some((grant, &provider.provider))
            .filter(|(grant, provider)| grant.flow(provider).signs_in())
    };
    let own = upstream(&config, arguments.upstream.as_deref(), |own| {
        own.grant.as_ref().and_then(signs_in).is_some()
    })?;
    let Some((grant, provider)) = own.grant.as_ref().and_then(signs_in) else {
        return Err(Failure::configuration(
            "the grant of this upstream is of no person",
        ));
    };
    // before anybody takes the trouble
    let records = records(&config)?;
    #[cfg(feature = "http")]
    if arguments.link {
        return by_link(&config, &records, &arguments.mailbox);
    }
    let authority = Authority::new(provider.clone()).map_err(failed)?;
    let flow = match arguments.device {
        true => Flow::Device,
        false => grant.flow(provider),
    };
    let obtained = match flow {
        Flow::Device => by_code(&authority)?,
        Flow::Code | Flow::App | Flow::ServiceAccount => by_browser(
            &authority,
            &arguments.mailbox,
            arguments.redirect.as_deref(),
        )?,
    };
    if let Some(other) = somebody_else(&obtained, &arguments.mailbox) {
        say(&format!(
            "The provider says that {other} signed in, not {0}. If that is no other name of {0}, sign in again as {0}, in \
             a private window of the browser.\n",
            arguments.mailbox
        ))?;
    }
    let id = GrantId::new(grant.name.as_str(), arguments.mailbox.to_lowercase());
    records
        .keep_grant(&id, provider, obtained)
        .map_err(Failure::running)?;
    say(&format!(
        "Signed in: the gateway may open {0} at {1:?} from now on.\nGive a device its password with\n    pop3-gateway account \
         add --config {2} --mailbox {0}\n",
        arguments.mailbox,
        own.name,
        arguments.file.config.display()
    ))
}

/// The owner does the rest, at the pages of the running gateway.
#[cfg(feature = "http")]
fn by_link(config: &Config, records: &Records, mailbox: &str) -> Result<(), Failure> {
    let Some(pages) = &config.pages else {
        let what =
            "there are no pages that a link could lead to; add [pages], or sign in without --link";
        return Err(Failure::configuration(what));
    };
    let key = invite(records, mailbox).map_err(Failure::running)?;
    let (url, key) = (&pages.url, String::from_utf8_lossy(key.expose()));
    say(&format!(
        "Send this link to the owner of {mailbox}. It works once, within a day:\n\n{url}/invited?key={key}\n"
    ))
}

/// Who signed in in the place of whom it was for. No fault in itself: people have several names, and some may open
/// other people's mailboxes.
fn somebody_else(obtained: &Obtained, mailbox: &str) -> Option<String> {
    let person = Claims::read(obtained.id_token.as_ref()?)?.person?;
    (!person.eq_ignore_ascii_case(mailbox)).then_some(person)
}

fn by_code(authority: &Authority) -> Result<Obtained, Failure> {
    let code = authority.device_code().map_err(failed)?;
    say(&format!(
        "Open {} on any device, and enter the code\n\n    {}\n\nOnly enter it if you asked for it yourself. Waiting ...\n",
        code.address, code.user
    ))?;
    let (end, mut interval) = (Instant::now() + code.life, code.interval);
    while Instant::now() < end {
        thread::sleep(interval);
        match authority.poll(&code).map_err(failed)? {
            Polled::Done(obtained) => return Ok(*obtained),
            Polled::Pending => {}
            // RFC 8628 section 3.5
            Polled::SlowDown => interval += Duration::from_secs(5),
        }
    }
    Err(Failure::running(
        "the code was not entered in time; begin again",
    ))
}

fn by_browser(
    authority: &Authority,
    mailbox: &str,
    redirect: Option<&str>,
) -> Result<Obtained, Failure> {
    let port = redirect.and_then(loopback_port);
    let listener = match (redirect, port) {
        (Some(_), None) => None,
        (_, port) => {
            let place = (Ipv4Addr::LOCALHOST, port.unwrap_or(0));
            Some(TcpListener::bind(place).map_err(|error| {
                Failure::running(format!(
                    "127.0.0.1:{}: cannot listen for the browser: {error}",
                    place.1
                ))
            })?)
        }
    };
    let redirect = match (redirect, &listener) {
        (Some(redirect), _) => redirect.to_owned(),
        (None, Some(listener)) => {
            let port = listener.local_addr().map_err(Failure::running)?.port();
            format!("http://127.0.0.1:{port}/")
        }
        (None, None) => String::new(),
    };
    let (address, begun) = authority.begin(&redirect, Some(mailbox)).map_err(failed)?;
    say(&format!(
        "Open this address in a browser, and sign in for {mailbox}:\n\n{address}\n\nIf the browser is on another machine, it \
         ends on a page that cannot be shown: paste its address here.\nWaiting ...\n"
    ))?;
    let (found, answers) = channel();
    if let Some(listener) = listener {
        let found = found.clone();
        thread::spawn(move || listen(&listener, &found));
    }
    thread::spawn(move || read_pasted(&found));
    let back = wait(&answers, &begun.state)?;
    authority.finish(&begun, &back).map_err(failed)
}

/// The first answer of this sign-in; others, forged or old, are passed over.
fn wait(answers: &Receiver<CallBack>, state: &str) -> Result<CallBack, Failure> {
    let end = Instant::now() + PATIENCE;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match answers.recv_timeout(left) {
            Ok(back) if back.state.as_deref() == Some(state) => return Ok(back),
            Ok(_) => say("That is no answer to this sign-in; still waiting ...\n")?,
            Err(RecvTimeoutError::Timeout) => {
                return Err(Failure::running(
                    "nobody signed in within 15 minutes; begin again",
                ));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::running(
                    "there is no way for an answer to come; begin again",
                ));
            }
        }
    }
}

fn listen(listener: &TcpListener, found: &Sender<CallBack>) {
    for stream in listener.incoming().flatten() {
        let found = found.clone();
        thread::spawn(move || {
            if let Some(back) = answer(stream) {
                // nothing waits any more at the end
                let _ = found.send(back);
            }
        });
    }
}

/// Reads a browser's request, and says that it may be closed.
fn answer(mut stream: TcpStream) -> Option<CallBack> {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    let mut line = String::new();
    let limited = stream.try_clone().ok()?.take(MAX_REQUEST);
    BufReader::new(limited).read_line(&mut line).ok()?;
    let target = line.strip_prefix("GET ")?.split(' ').next()?;
    let back = CallBack::parse(target);
    let is_one = back.state.is_some();
    let (status, text) = match is_one {
        true => ("200 OK", "Thank you. You can close this page."),
        false => ("404 Not Found", "There is nothing here."),
    };
    let page = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    let _ = stream.write_all(page.as_bytes());
    is_one.then_some(back)
}

fn read_pasted(found: &Sender<CallBack>) {
    for line in io::stdin().lines().map_while(Result::ok) {
        if !line.trim().is_empty() && found.send(CallBack::parse(&line)).is_err() {
            return;
        }
    }
}

/// The port of `http://127.0.0.1:PORT/…` or `http://localhost:PORT/…`.
fn loopback_port(address: &str) -> Option<u16> {
    let rest = address.strip_prefix("http://")?;
    let rest = rest
        .strip_prefix("127.0.0.1")
        .or_else(|| rest.strip_prefix("localhost"))?;
    let port = rest.strip_prefix(':')?.split('/').next()?;
    port.parse().ok()
}

fn say(text: &str) -> Result<(), Failure> {
    print(text.as_bytes())?;
    io::stdout().flush().map_err(Failure::running)
}

fn failed(refusal: Refusal) -> Failure {
    Failure::running(refusal)
}
