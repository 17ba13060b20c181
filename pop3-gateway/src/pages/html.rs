//! What the pages look like.
//!
//! Owns the words and the marks around them. Everything that comes from outside is escaped by the templates; nothing
//! here is put together by hand.

use gateway_state::{Access, Account};
use hyper::StatusCode;
use maud::{DOCTYPE, Markup, html};

use super::browser::{Fresh, Session};
use super::card::{Card, Way};
use super::desk::Desk;
use super::problem::Problem;
use super::reply;
use crate::http::Answer;

fn page(desk: &Desk, status: StatusCode, title: &str, head: &Markup, body: &Markup) -> Answer {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                (head)
                title { (title) " · Mail for devices" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/style.css";
            }
            body {
                header { a href="/" { img src="/icon.svg" alt="" width="28" height="28"; "Mail for devices" } }
                main { (body) }
                footer {
                    p { (desk.settings.host()) }
                    @if let Some(contact) = &desk.settings.contact {
                        p { "Questions? Ask " (contact) "." }
                    }
                }
            }
        }
    };
    reply::page(status, markup)
}

fn good(desk: &Desk, title: &str, body: &Markup) -> Answer {
    page(desk, StatusCode::OK, title, &html! {}, body)
}

fn token(token: &str) -> Markup {
    html! { input type="hidden" name="token" value=(token); }
}

/// The first page; with a key for who was invited.
pub(super) fn start(desk: &Desk, own: &str, key: Option<&str>) -> Answer {
    good(
        desk,
        "Connect your mailbox",
        &html! {
            h1 { "Connect your mailbox" }
            p.lead {
                "Some mail programs, printers and scanners know nothing but a name and a password. Connect your mailbox once, "
                "and give each of them a password of its own."
            }
            form.box action="/connect" method="post" {
                (token(own))
                @match key {
                    Some(key) => {
                        input type="hidden" name="key" value=(key);
                        p { "You were invited to connect your mailbox. The invitation works once." }
                    }
                    None => {
                        label for="address" { "Your mail address" }
                        input #address name="address" type="email" required maxlength="254" autocomplete="email"
                            placeholder="ann@example.org" aria-describedby="address-hint";
                        p.hint #address-hint { "You sign in at your mail provider. Your password there is not seen here." }
                    }
                }
                button { "Continue" }
            }
            ol.steps {
                li { strong { "Sign in" } " at your mail provider and allow access." }
                li { strong { "Make a password" } " for each device." }
                li { strong { "Enter it" } " in the device. You can take it back at any time." }
            }
            p.hint { "Connected already? Enter your address to see your devices." }
        },
    )
}

/// The way to the provider, on a page of its own: forms lead nowhere else.
pub(super) fn leave(desk: &Desk, address: &str, to: &str) -> Answer {
    let host = to.split_once("://").map_or(to, |(_, rest)| rest);
    let host = host.split(['/', '?']).next().unwrap_or_default();
    page(
        desk,
        StatusCode::OK,
        "To your mail provider",
        &html! { meta http-equiv="refresh" content={ "0;url=" (to) }; },
        &html! {
            h1 { "To your mail provider" }
            p.lead { "You go on to " strong { (host) } ", to sign in as " strong { (address) } "." }
            p { a.button href=(to) rel="noreferrer" { "Continue to " (host) } }
            p.hint { "Look at the address of the page before you enter a password there." }
        },
    )
}

/// A mailbox and its devices.
pub(super) fn mailbox(
    desk: &Desk,
    session: &Session,
    devices: &[Account],
    own: &str,
    notice: Option<&str>,
) -> Answer {
    good(
        desk,
        &session.address,
        &html! {
            div.title {
                div { p.over { "Connected mailbox" } h1.address { (session.address) } }
                form action="/sign-out" method="post" { (token(own)) button.quiet { "Sign out" } }
            }
            @if let Some(notice) = notice { p.notice role="status" { (notice) } }
            section aria-labelledby="devices" {
                h2 #devices { "Devices" }
                @if devices.is_empty() {
                    p.empty { "No device has a password yet." }
                } @else {
                    ul.devices { @for device in devices { li { (entry(device, own)) } } }
                }
            }
            section aria-labelledby="add" {
                h2 #add { "Add a device" }
                form.box action="/devices" method="post" {
                    (token(own))
                    label for="label" { "What do you call it?" }
                    input #label name="label" maxlength="40" required autocomplete="off" placeholder="Scanner, second floor";
                    fieldset {
                        legend { "What may it do?" }
                        label.choice {
                            input type="radio" name="access" value="read-write" checked;
                            span { "Read and delete mail" small { "As mail programs do" } }
                        }
                        label.choice {
                            input type="radio" name="access" value="read-only";
                            span { "Read only" small { "Nothing is ever removed from the mailbox" } }
                        }
                    }
                    button { "Make a password" }
                }
            }
            section aria-labelledby="settings" {
                h2 #settings { "Settings for devices" }
                p.hint { "The name and the password are shown when you add a device." }
                (settings(&desk.card))
            }
            details.danger {
                summary { "Disconnect this mailbox" }
                p { "All passwords above stop working, and the access that you allowed is given back." }
                form action="/disconnect" method="post" { (token(own)) button.warn { "Disconnect" } }
            }
        },
    )
}

fn entry(device: &Account, own: &str) -> Markup {
    let rights = match device.access {
        Access::ReadWrite => "reads and deletes",
        Access::NoDelete | Access::ReadOnly | _ => "reads only",
    };
    let label = match device.label.is_empty() {
        true => &device.name,
        false => &device.label,
    };
    html! {
        div.device {
            h3 { (label) }
            p.name { (device.name) }
            p.facts {
                span { (rights) }
                span { "since " (day(device.created)) }
                @match device.used {
                    Some(used) => span { "last used " (day(used)) },
                    None => span { "never used" },
                }
                @if let Some(end) = device.expires { span { "until " (day(end)) } }
                @if !device.enabled { span { "switched off" } }
                @if !device.networks.is_empty() { span { "only from " (device.networks.join(", ")) } }
            }
        }
        details {
            summary aria-label={ "Take back the password of " (label) } { "Take back" }
            form action="/revoke" method="post" {
                (token(own))
                input type="hidden" name="name" value=(device.name);
                p { "The device cannot log in any more. This cannot be undone." }
                button.warn { "Take the password back" }
            }
        }
    }
}

fn day(seconds: u64) -> String {
    peer_trust::day(seconds.cast_signed())
}

fn settings(card: &Card) -> Markup {
    html! {
        dl.card {
            (row("Kind of account", "POP3"))
            (row("Server", &card.server))
            @if let Some(way) = card.ways.first() {
                (row("Port", &way.port.to_string()))
                (row("Encryption", way.encryption()))
            }
        }
        @if let [_, more @ ..] = card.ways.as_slice() && !more.is_empty() {
            p.hint { "For devices that cannot do that: " (others(more)) "." }
        }
    }
}

fn others(ways: &[Way]) -> String {
    let ways: Vec<_> = ways
        .iter()
        .map(|way| format!("port {} with encryption {}", way.port, way.encryption()))
        .collect();
    ways.join(", or ")
}

fn row(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { code { (value) } } } }
}

/// A password, shown this once, with everything else that a device is told.
pub(super) fn device(desk: &Desk, session: &Session, fresh: &Fresh) -> Answer {
    let password = String::from_utf8_lossy(fresh.password.expose());
    let card = &desk.card;
    let way = card.ways.first();
    let (port, encryption) = way.map_or_else(
        || (String::new(), ""),
        |way| (way.port.to_string(), way.encryption()),
    );
    good(
        desk,
        &fresh.label,
        &html! {
            p.over { (session.address) }
            h1 { "Password for " (fresh.label) }
            p.notice role="status" {
                strong { "It is shown only now." } " Enter it in the device, or write it down, before you leave this page."
            }
            dl.card.secret {
                (row("Name", &fresh.name))
                div { dt { "Password" } dd { code.password { (password) } small { "The hyphens belong to it." } } }
            }
            h2 { "Settings" }
            (settings(card))
            h2 { "Where to enter it" }
            details open {
                summary { "Scanner or printer" }
                ol {
                    li { "Open the device's settings for receiving mail, often " em { "E-mail Print" } " or " em { "Internet fax" } "." }
                    li { "POP3 server: " code { (card.server) } ", port " code { (port) } "." }
                    li { "Encryption: " code { (encryption) } ". APOP: off." }
                    li { "User name and password as above." }
                }
            }
            details {
                summary { "Outlook" }
                ol {
                    li { em { "File › Add Account › Advanced options › Let me set up my account manually" } ", then " em { "POP" } "." }
                    li { "Incoming mail: server " code { (card.server) } ", port " code { (port) } ", encryption " code { (encryption) } "." }
                    li { "User name and password as above. Leave " em { "Secure Password Authentication" } " off." }
                    li { "Outgoing mail stays as your mail provider says." }
                }
            }
            details {
                summary { "Thunderbird" }
                ol {
                    li { em { "Account Settings › Account Actions › Add Mail Account › Configure manually" } "." }
                    li { "Protocol " code { "POP3" } ", hostname " code { (card.server) } ", port " code { (port) } "." }
                    li { "Connection security " code { (encryption) } ", authentication method " code { "Normal password" } "." }
                    li { "User name and password as above." }
                }
            }
            p { a.button href="/mailbox" { "Done" } }
        },
    )
}

/// A mailbox that is not connected any more.
pub(super) fn gone(desk: &Desk, address: &str) -> Answer {
    good(
        desk,
        "Disconnected",
        &html! {
            h1 { "Disconnected" }
            p.lead { (address) " is not connected any more, and its devices cannot log in." }
            p { a.button href="/" { "Connect a mailbox" } }
        },
    )
}

/// What went wrong.
pub(super) fn problem(desk: &Desk, problem: &Problem) -> Answer {
    let told = problem.told();
    page(
        desk,
        told.status,
        told.title,
        &html! {},
        &html! {
            h1 { (told.title) }
            p.lead { (told.text) }
            p { (told.remedy) }
            p { a.button href="/" { "To the first page" } }
        },
    )
}
