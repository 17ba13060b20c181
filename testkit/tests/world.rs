//! The simulated network and clock.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::future::poll_fn;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pop3_proto::time::Time;
use testkit::imap_server::{Options, Server, Store};
use testkit::transcript::Transcript;
use testkit::world::{
    Actor, Client, Conditions, Cut, Ending, ImapHost, OnWire, Route, Socket, Tasks, World,
};

const MINUTE: Duration = Duration::from_secs(60);

fn pair(world: &World, route: Route) -> (Socket, Socket) {
    let acceptor = world.network().listen(1);
    world.network().plan(1, route);
    let socket = world.network().connect(1).unwrap();
    (socket, acceptor.accept().unwrap())
}

fn there(there: Conditions) -> Route {
    Route {
        there,
        ..Route::default()
    }
}

fn kind<T: std::fmt::Debug>(result: std::io::Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn read(socket: &Socket) -> Vec<u8> {
    let mut buf = [0; 100];
    let n = socket.read(&mut buf).unwrap();
    buf[..n].to_vec()
}

#[test]
fn octets_go_both_ways_and_end() {
    let world = World::new();
    let (left, right) = pair(&world, Route::default());
    assert_eq!(left.write(b"one").unwrap(), 3);
    assert_eq!(left.write(b"two").unwrap(), 3);
    assert_eq!(read(&right), b"onetwo");
    assert_eq!(kind(right.read(&mut [0])), ErrorKind::WouldBlock);
    left.write(b"last").unwrap();
    left.shut_down();
    assert_eq!(kind(left.write(b"x")), ErrorKind::BrokenPipe);
    assert_eq!(read(&right), b"last");
    assert_eq!(read(&right), b"");
    right.write(b"answer").unwrap();
    drop(right);
    assert_eq!(read(&left), b"answer");
    assert_eq!(read(&left), b"");
    assert_eq!(
        kind(world.network().connect(1)),
        ErrorKind::ConnectionRefused
    );
}

#[test]
fn a_close_with_octets_unread_is_a_reset() {
    let world = World::new();
    let (left, right) = pair(&world, Route::default());
    left.write(b"unread").unwrap();
    drop(right);
    assert_eq!(kind(left.read(&mut [0])), ErrorKind::ConnectionReset);
    assert_eq!(kind(left.write(b"x")), ErrorKind::ConnectionReset);
}

#[test]
fn windows_sizes_and_delays() {
    let mut world = World::new();
    let (left, right) = pair(
        &world,
        there(Conditions {
            window: 4,
            ..Conditions::default()
        }),
    );
    assert_eq!(left.write(b"123456").unwrap(), 4);
    assert_eq!(kind(left.write(b"56")), ErrorKind::WouldBlock);
    assert_eq!(right.read(&mut [0; 2]).unwrap(), 2);
    assert_eq!(left.write(b"56").unwrap(), 2);
    assert_eq!(read(&right), b"3456");

    let (left, right) = pair(
        &world,
        there(Conditions {
            sizes: vec![0, 2],
            ..Conditions::default()
        }),
    );
    assert_eq!(left.write(b"123456").unwrap(), 1);
    assert_eq!(left.write(b"23456").unwrap(), 3);
    assert_eq!(
        (read(&right), read(&right)),
        (b"1".to_vec(), b"234".to_vec())
    );

    let (left, right) = pair(
        &world,
        there(Conditions {
            delay: MINUTE,
            ..Conditions::default()
        }),
    );
    left.write(b"slow").unwrap();
    world.advance(MINUTE / 2);
    left.write(b"slower").unwrap();
    left.shut_down();
    assert_eq!(kind(right.read(&mut [0])), ErrorKind::WouldBlock);
    world.advance(MINUTE / 2);
    assert_eq!(read(&right), b"slow");
    assert_eq!(kind(right.read(&mut [0])), ErrorKind::WouldBlock);
    world.settle();
    assert_eq!(world.now().since_start(), MINUTE + MINUTE / 2);
    assert_eq!(
        (read(&right), read(&right)),
        (b"slower".to_vec(), Vec::new())
    );
}

#[test]
fn cuts_happen_at_their_octet() {
    let world = World::new();
    let cut = |ending| {
        there(Conditions {
            cut: Some(Cut { after: 3, ending }),
            ..Conditions::default()
        })
    };
    let (left, right) = pair(&world, cut(Ending::End));
    left.write(b"12345").unwrap();
    assert_eq!((read(&right), read(&right)), (b"123".to_vec(), Vec::new()));
    assert_eq!(kind(left.write(b"6")), ErrorKind::BrokenPipe);

    let (left, right) = pair(&world, cut(Ending::Reset));
    left.write(b"12345").unwrap();
    assert_eq!(read(&right), b"123");
    assert_eq!(kind(right.read(&mut [0])), ErrorKind::ConnectionReset);
    assert_eq!(kind(left.write(b"6")), ErrorKind::ConnectionReset);
    assert_eq!(kind(left.read(&mut [0])), ErrorKind::ConnectionReset);

    let (left, right) = pair(&world, cut(Ending::Silence));
    left.write(b"12345").unwrap();
    assert_eq!(read(&right), b"123");
    assert_eq!(kind(right.read(&mut [0])), ErrorKind::WouldBlock);
    left.write(b"6").unwrap();
    assert_eq!(kind(right.read(&mut [0])), ErrorKind::WouldBlock);
}

#[test]
fn who_waits_is_asked_at_its_time_and_in_order() {
    struct Clock(Vec<Time>, Vec<Time>);
    impl Actor for Clock {
        fn step(&mut self, now: Time) -> bool {
            let due = self.0.first().is_some_and(|&at| at <= now);
            if due {
                self.0.remove(0);
                self.1.push(now);
            }
            due
        }
        fn deadline(&self) -> Option<Time> {
            self.0.first().copied()
        }
    }
    let at = |minutes: u32| Time::ZERO + MINUTE * minutes;
    let clock = Arc::new(Mutex::new(Clock(
        vec![at(1), at(3), at(3), at(9)],
        Vec::new(),
    )));
    let mut world = World::new();
    world.add(Arc::clone(&clock));
    world.settle();
    assert_eq!(world.next_moment(), Some(at(1)));
    world.advance(MINUTE * 5);
    assert_eq!(world.now(), at(5));
    assert_eq!(clock.lock().unwrap().1, [at(1), at(3), at(3)]);
}

#[test]
fn tasks_are_woken_by_octets_room_and_time() {
    let mut world = World::new();
    let tasks = Tasks::new();
    let (network, spawner) = (world.network().clone(), tasks.clone());
    let acceptor = network.listen(7);
    tasks.spawn(async move {
        loop {
            let socket = poll_fn(|cx| acceptor.poll_accept(cx)).await;
            let network = network.clone();
            spawner.spawn(async move {
                let mut buf = [0; 8];
                loop {
                    let n = poll_fn(|cx| socket.poll_read(cx, &mut buf)).await.unwrap();
                    if n == 0 {
                        return;
                    }
                    let at = network.now() + MINUTE;
                    poll_fn(|cx| network.poll_at(cx, at)).await;
                    let mut rest = &buf[..n];
                    while !rest.is_empty() {
                        let n = poll_fn(|cx| socket.poll_write(cx, rest)).await.unwrap();
                        rest = &rest[n..];
                    }
                }
            });
        }
    });
    world.add(tasks.clone());
    world.settle();
    let narrow = Conditions {
        window: 2,
        ..Conditions::default()
    };
    world.network().plan(
        7,
        Route {
            there: Conditions::default(),
            back: narrow,
        },
    );
    let client = Client::connect(&mut world, 7).unwrap();
    client.send(b"hello");
    client.set_deaf(true);
    world.advance(MINUTE);
    assert_eq!(client.take(), b"");
    client.set_deaf(false);
    world.settle();
    assert_eq!(client.take(), b"hello");
    assert_eq!(tasks.running(), 2);
    client.hang_up();
    world.settle();
    assert!(client.has_ended());
    assert_eq!(tasks.running(), 1);
    tasks.cancel();
    assert_eq!(
        kind(world.network().connect(7)),
        ErrorKind::ConnectionRefused
    );
}

#[test]
fn transcripts_run_against_hosts() {
    let store = Store::new();
    store.add_user("tim", "tanstaaf");
    store.deliver("tim", "A: b\r\n\r\nbody\r\n");
    for size in [0, 1, 9, 255] {
        let mut world = World::new();
        let host = ImapHost::new(&world, 143, Server::new(store.clone(), Options::default()));
        world.add(host);
        let crumbs = Conditions {
            sizes: vec![size],
            ..Conditions::default()
        };
        world.network().plan(
            143,
            Route {
                there: crumbs.clone(),
                back: crumbs,
            },
        );
        let client = Client::connect(&mut world, 143).unwrap();
        let transcript = Transcript::parse(
            "imap",
            "S: * OK *
             C&: a LOGIN tim tanstaaf
             C: b UID FETCH 1 BODY[]
             S: a OK *
             S: b BAD *
             T: +1h
             S-
             C: c LOGOUT
             S: \\* BYE*
             S: c OK*
             S!",
        );
        transcript
            .unwrap()
            .run(&mut OnWire::new(&mut world, client))
            .unwrap();
    }
}

#[test]
fn clients_vanish_and_break_off() {
    let mut world = World::new();
    let acceptor = world.network().listen(1);
    let client = Client::connect(&mut world, 1).unwrap();
    let socket = acceptor.accept().unwrap();
    client.vanish();
    assert_eq!(read(&socket), b"");
    let client = Client::connect(&mut world, 1).unwrap();
    let socket = acceptor.accept().unwrap();
    client.reset();
    assert_eq!(kind(socket.read(&mut [0])), ErrorKind::ConnectionReset);
    let client = Client::connect(&mut world, 1).unwrap();
    drop(acceptor);
    world.settle();
    assert_eq!(client.error(), Some(ErrorKind::ConnectionReset));
}
