//! Listeners, the monitoring account and the deadlines.

use super::{LISTENER, UPSTREAM, error, error_with, parse};

/// T015: no TLS without a certificate. X004: a greeting that clients would misread. C004: CRAM-MD5 needs
/// the password.
#[test]
fn t015_x004_c004_mistakes_in_listeners() {
    let public = |rest: &str| {
        error(&format!(
            "[[listener]]\nlisten = \"0.0.0.0:110\"\n{rest}\n{UPSTREAM}"
        ))
    };
    let clear = "/etc/g.toml:1:3: listener[1].allow_clear_login: no login is possible at 0.0.0.0:110: \
        there is no TLS, and logins in the clear are not allowed; write tls = \"stls\" and give a \
        certificate, or, if everybody may read the passwords, allow_clear_login = true";
    assert_eq!(public(""), clear.replace(":1:3:", ":1:1:"));
    let with = |line: &str| error_with(line, "", "");
    for (message, part) in [
        (
            public("tls = \"stls\""),
            "3:1: listener[1].tls: TLS needs a certificate, and there is none; add [[listener.certificate]]",
        ),
        (
            public("tls = \"implicit\""),
            "listener[1].tls: TLS needs a certificate",
        ),
        (
            public("tls = \"ssl\""),
            "listener[1].tls: \"ssl\" is not known here; write \"none\", \"stls\" or \"implicit\"",
        ),
        (
            with("self_signed = \"tls\""),
            "listener[1].tls: there is a certificate, but TLS is off; write tls = \"stls\" or tls = \"implicit\"",
        ),
        (
            with("allow_clear_login = false"),
            "no login is possible: there is no TLS",
        ),
        (
            with("user_pass = false\nsasl = []"),
            "listener[1].user_pass: no login is possible: USER is off",
        ),
        (
            with("sasl = [\"PLAIN\", \"LOGIN\", \"plain\"]"),
            "listener[1].sasl: PLAIN is named twice; name each mechanism once",
        ),
        (
            with("sasl = [\"CRAM-MD5\"]"),
            "listener[1].sasl: \"CRAM-MD5\" needs the password, which only the upstream holds; leave it out",
        ),
        (
            with("sasl = [\"SCRAM-SHA-256-PLUS\"]"),
            "is bound to a TLS channel",
        ),
        (
            with("sasl = [\"not a name\"]"),
            "is not the name of a SASL mechanism",
        ),
        (
            with("greeting = \"hello <there>\""),
            "listener[1].greeting: clients read angle brackets as an APOP timestamp",
        ),
        (with("greeting = \"[AUTH] hello\""), "leave out"),
        (
            with("greeting = \"a\\r\\nb\""),
            "cannot be sent in one short line",
        ),
        (
            with("utf8 = \"yes\""),
            "listener[1].utf8: this is a text; write true or false, without quotes",
        ),
        (
            with("tls = true"),
            "listener[1].tls: this is true or false; write a text in quotes",
        ),
        (
            with("[[listener.certificate]]\ncert = \"a.pem\""),
            "3:12: listener[1].certificate: a certificate is two files; give both",
        ),
        (
            with(
                "tls = \"stls\"\nself_signed = \"d\"\n[[listener.certificate]]\ncert = \"a\"\nkey = \"b\"",
            ),
            "listener[1].self_signed: there is a certificate from files too",
        ),
        (
            with("self_signed_names = [\"a\"]"),
            "listener[1].self_signed_names: there is no self-signed certificate to have these names",
        ),
        (
            with("tls = \"stls\"\nself_signed = \"\""),
            "listener[1].self_signed: the path is empty",
        ),
        (
            with("[[listener]]\nlisten = \"127.0.0.1:1110\""),
            "listener[2].listen: 127.0.0.1:1110 is taken: another listener is at 127.0.0.1:1110",
        ),
        (
            with("[[listener]]\nlisten = \"0.0.0.0:1110\"\nallow_clear_login = true"),
            "0.0.0.0:1110 is taken: another listener is at 127.0.0.1:1110",
        ),
        (
            with("[[listener]]"),
            "listener[2].listen: there is no address to listen at; write for example listen = \"127.0.0.1:1110\"",
        ),
        (
            error(&format!(
                "[[listener]]\nlisten = \"localhost:110\"\n{UPSTREAM}"
            )),
            "listener[1].listen: \"localhost:110\" is not an IP address with a port; write for example",
        ),
        (
            error(&format!("[[listener]]\nlisten = 110\n{UPSTREAM}")),
            "listener[1].listen: this is a number; write a text in quotes",
        ),
        (
            error(&format!(
                "[listener]\nlisten = \"127.0.0.1:110\"\n{UPSTREAM}"
            )),
            "listener: this is a table; write tables, each under its own [[listener]]",
        ),
        (
            error(UPSTREAM),
            "listener: there is no listener; add [[listener]]",
        ),
    ] {
        assert!(message.contains(part), "{message}\nlacks\n{part}");
    }
}

/// T007: logins in the clear are refused by default where others may listen in.
#[test]
fn t007_clear_logins_need_loopback_or_a_word() {
    let at = |listen: &str, rest: &str| {
        let listener = format!("[[listener]]\nlisten = {listen}\n{rest}\n");
        parse(&format!("{listener}{UPSTREAM}")).map(|config| config.listeners[0].policy.clear_login)
    };
    let tls = "tls = \"stls\"\nself_signed = \"tls\"";
    assert_eq!(at("\"127.0.0.1:110\"", ""), Ok(true));
    assert_eq!(at("[\"127.0.0.1:110\", \"[::1]:110\"]", ""), Ok(true));
    assert_eq!(at("\"192.0.2.1:110\"", tls), Ok(false));
    assert_eq!(at("[\"127.0.0.1:110\", \"192.0.2.1:110\"]", tls), Ok(false));
    assert_eq!(
        at("\"192.0.2.1:110\"", "allow_clear_login = true"),
        Ok(true)
    );
    assert!(at("[\"127.0.0.1:110\", \"192.0.2.1:110\"]", "").is_err());
}

/// A balancer's clients are elsewhere, whatever address it connects to.
#[test]
fn listeners_with_a_balancer_in_front() {
    let with =
        |lines: &str| format!("[[listener]]\nlisten = \"127.0.0.1:110\"\n{lines}\n{UPSTREAM}");
    let listener = |lines: &str| parse(&with(lines)).unwrap().listeners.remove(0);
    let tls = "tls = \"stls\"\nself_signed = \"tls\"";
    let own = listener(&format!("proxy_protocol = \"10.0.0.7\"\n{tls}"));
    assert_eq!(own.proxies, ["10.0.0.7/32".parse().unwrap()]);
    assert!(!own.policy.clear_login);
    let own = listener("allow_clear_login = true\nproxy_protocol = [\"10.0.0.0/8\", \"::1\"]");
    assert_eq!(own.proxies.len(), 2);
    assert!(own.policy.clear_login);
    for (lines, part) in [
        (
            "proxy_protocol = \"::1\"",
            "listener[1].allow_clear_login: no login is possible: there is no TLS",
        ),
        (
            "proxy_protocol = []",
            "listener[1].proxy_protocol: no network may connect; name at least one",
        ),
        (
            "proxy_protocol = true",
            "listener[1].proxy_protocol: this is true or false; write a text in quotes",
        ),
        (
            "proxy_protocol = [\"10.0.0.1/8\"]",
            "names a host and a network; write \"10.0.0.0/8\" or \"10.0.0.1\"",
        ),
    ] {
        let message = error(&with(lines));
        assert!(message.contains(part), "{message}\nlacks\n{part}");
    }
}

/// V35: there is no monitoring account unless it is configured, and no default secret.
#[test]
fn v35_mistakes_in_the_monitoring_account() {
    assert_eq!(
        parse(&format!("{LISTENER}{UPSTREAM}")).unwrap().monitor,
        None
    );
    let with = |lines: &str| error_with("", "", &format!("[monitor]\n{lines}"));
    for (message, part) in [
        (with(""), "monitor.user: the account needs a name"),
        (
            with("user = \"monitor\""),
            "monitor.secret: the secret is missing; write secret_file",
        ),
        (
            with("user = \"monitor\"\nsecret = \"monitor\""),
            "this would be guessed; write at least 12 characters",
        ),
        (
            with("user = \"a long name of mine\"\nsecret = \"a long name of mine\""),
            "this would be guessed",
        ),
        (
            with("user = \"m\"\nsecret = \"long enough, this\"\nsecret_file = \"f\""),
            "keep secret or secret_file",
        ),
        (
            with("user = \"m\"\nsecret = \"long enough,\\nthis\""),
            "no client could send this",
        ),
        (
            with("user = \"m\"\nsecret_file = \"f\"\n[routing.user]\nm = \"main\""),
            "monitor: \"m\" has a route of its own",
        ),
    ] {
        assert!(message.contains(part), "{message}\nlacks\n{part}");
        assert!(!message.contains("long enough"), "{message}");
    }
}

/// P011: an autologout timer below ten minutes is refused.
#[test]
fn p011_autologout_has_a_floor_of_ten_minutes() {
    let with = |rest: &str| error_with("", "", rest);
    for (message, part) in [
        (
            with("[timers]\nautologout = \"9m 59s\""),
            "9:1: timers.autologout: less than 10 minutes cuts off honest clients (RFC 1939 section 3); write at least \"10m\"",
        ),
        (
            with("[timers]\nstalled_reader = \"1m\""),
            "timers.stalled_reader: less than 10 minutes",
        ),
        (
            with("[timers]\nlogin_grace = \"1s\""),
            "timers.login_grace: no login is that fast",
        ),
        (
            with("[timers]\nautologout = 600"),
            "timers.autologout: this is a number; write a time with its unit in quotes, such as \"10m\"",
        ),
        (
            with("[limits]\nconnections = 0"),
            "limits.connections: 0 would shut everybody out",
        ),
        (
            with("[limits]\nconnections = -1"),
            "limits.connections: -1 is out of range; write 0 to 4294967295",
        ),
        (
            with("[limits]\nfailed_login_delay = \"1m\""),
            "limits.failed_login_delay_max: this is less than failed_login_delay",
        ),
        (
            with("[log]\nlevel = \"loud\""),
            "log.level: \"loud\" is not known here; write \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        ),
        (
            with("[transcript]"),
            "transcript.dir: the folder is missing",
        ),
        (
            error(&format!("runtime = \"async-std\"\n{LISTENER}{UPSTREAM}")),
            "runtime: \"async-std\" is not known here; write \"tokio\" or \"smol\"",
        ),
    ] {
        assert!(message.contains(part), "{message}\nlacks\n{part}");
    }
}

/// A name with a slip of the pen would be offered, and no client could log in with it.
#[test]
fn w054_mechanisms_that_do_not_exist_are_refused() {
    let sasl = |names: &str| error_with(&format!("sasl = [{names}]"), "", "");
    let said = sasl("\"PLAIN\", \"PLIAN\"");
    assert!(
        said.contains("listener[1].sasl: \"PLIAN\" is not a known SASL mechanism"),
        "{said}"
    );
    assert!(said.contains("did you mean \"PLAIN\"?"), "{said}");
    assert!(sasl("\"SCRAM-SHA256\"").contains("did you mean \"SCRAM-SHA-256\"?"));
    assert!(sasl("\"MAGIC\"").contains("write for example"));
}

/// HTTP listens beside POP3, and a mistake there is said as elsewhere.
#[cfg(feature = "http")]
#[test]
fn http_has_an_address_of_its_own() {
    let with = |lines: &str| format!("{LISTENER}{UPSTREAM}[[http]]\n{lines}\n");
    let good = parse(&with(
        "listen = [\"127.0.0.1:9110\", \"[::1]:9110\"]\nserve = \"health\"\nnetworks = \"192.0.2.7\"",
    ));
    let http = &good.unwrap().http[0];
    assert_eq!(http.networks[0].to_string(), "192.0.2.7/32");
    for (lines, part) in [
        ("", "http[1].listen: there is no address to listen at"),
        (
            "listen = \"127.0.0.1:1110\"",
            "http[1].listen: 127.0.0.1:1110 is taken: another listener is at 127.0.0.1:1110",
        ),
        (
            "listen = \"127.0.0.1:9110\"\nserve = []",
            "http[1].serve: nothing is served here",
        ),
        (
            "listen = \"127.0.0.1:9110\"\nserve = \"mail\"",
            "\"mail\" is not known here; write \"health\"",
        ),
        (
            "listen = \"127.0.0.1:9110\"\nnetworks = \"here\"",
            "\"here\" is not a network; write for example",
        ),
        (
            "listen = \"127.0.0.1:9110\"\nconnections = 0",
            "http[1].connections: nobody could connect",
        ),
        (
            "listen = \"127.0.0.1:9110\"\nself_signed = \"tls\"\n[[http.certificate]]\ncert = \"a\"\nkey = \"b\"",
            "http[1].self_signed: there is a certificate from files too",
        ),
        (
            "listen = \"127.0.0.1:9110\"\nadress = 1",
            "http[1].adress: unknown key",
        ),
    ] {
        let said = error(&with(lines));
        assert!(said.contains(part), "{said}");
    }
}

/// Passwords are shown there: TLS, or this machine alone.
#[cfg(all(feature = "http", feature = "oauth"))]
#[test]
fn pages_are_not_served_in_the_clear() {
    let with = |http: &str, pages: &str| {
        format!("{LISTENER}{UPSTREAM}[[http]]\nserve = \"pages\"\n{http}\n[pages]\n{pages}\n")
    };
    let (here, url) = (
        "listen = \"127.0.0.1:8080\"",
        "url = \"https://mail.example.org\"",
    );
    let public = "listen = [\"127.0.0.1:8080\", \"0.0.0.0:8443\"]";
    assert!(parse(&with(here, url)).is_ok());
    assert!(parse(&with(&format!("{public}\nself_signed = \"t\""), url)).is_ok());
    let port = parse(&with(here, "url = \"https://mail.example.org:443\"")).unwrap();
    assert_eq!(port.pages.unwrap().url, "https://mail.example.org");
    let good = parse(&with(
        here,
        "url = \"HTTP://[::1]:8080/\"\ndomains = \"Example.ORG\"",
    ))
    .unwrap();
    let good = good.pages.unwrap();
    assert_eq!((good.authority(), good.host()), ("[::1]:8080", "::1"));
    assert_eq!(good.domains, ["example.org"]);
    for (http, pages, part) in [
        (
            public,
            url,
            "http[1].serve: passwords are shown at 0.0.0.0:8443, and everybody on the way could read them",
        ),
        (here, "", "pages.url: where they are, is missing"),
        (
            here,
            "url = \"http://mail.example.org\"",
            "pages.url: passwords are shown there, and everybody on the way",
        ),
        (
            here,
            "url = \"mail.example.org\"",
            "pages.url: this is no address with scheme, host and port alone",
        ),
        (
            here,
            "url = \"https://mail.example.org/pages\"",
            "pages.url: this is no address",
        ),
        (
            here,
            "url = \"https://ann@mail.example.org\"",
            "pages.url: this is no address",
        ),
        (
            here,
            "url = \"https://mail.example.org:x\"",
            "pages.url: this is no address",
        ),
        (
            here,
            "url = \"https://mail.example.org:\"",
            "pages.url: this is no address",
        ),
        (
            here,
            "url = \"https://[::1\"",
            "pages.url: this is no address",
        ),
        (
            here,
            "url = \"https://mail.example.org\"\nserver = \"\"",
            "pages.server: this is no line",
        ),
        (
            here,
            "url = \"https://mail.example.org\"\ndomains = \"*.example.org\"",
            "is not a domain",
        ),
    ] {
        let said = error(&with(http, pages));
        assert!(said.contains(part), "{said}");
    }
    let alone = format!("{LISTENER}{UPSTREAM}[pages]\n{url}\n");
    assert!(error(&alone).contains("pages: they are served nowhere"));
    let alone = format!("{LISTENER}{UPSTREAM}[[http]]\n{here}\nserve = \"pages\"\n");
    assert!(error(&alone).contains("pages: pages are served, and nothing is said of them"));
}
