//! Two nodes in one process, which share an engine in memory: what sessions hear.
#![cfg(feature = "cluster")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use gateway_cluster::{Cluster, ClusterKey, ClusterUrl, Memory, OnFailure, Options};
use pop3_gateway::cluster::Node;
use pop3_proto::server::Policy;
use pop3_server::server::Server;
use pop3_server::settings::Settings;
use testkit_server::PASSWORD;
use testkit_server::list::{ListService, Mood};
use testkit_server::rig::Rig;

/// Longer than anything here takes, on a busy machine, too.
const PATIENCE: Duration = Duration::from_secs(60);

fn options(name: &str) -> Options {
    let mut options = Options::new(name);
    options.on_failure = OnFailure::Closed;
    // a machine that is busy answers late
    options.timing.answer = Duration::from_secs(10);
    options
}

fn node(memory: &Memory, options: Options) -> Node {
    let key = ClusterKey::new(&b"what all nodes share"[..].into()).unwrap();
    Node::of(Cluster::start(&ClusterUrl::memory(memory), &key, options).unwrap())
}

fn server(node: &Node) -> Server {
    node.serving(Server::builder()).build()
}

fn mail() -> ListService {
    ListService::new(&[b"one\r\n", b"two\r\n"])
}

fn client(server: &Server, service: &ListService) -> Rig<ListService> {
    let policy = Policy::default().clear_login(true);
    let settings = Settings::new(Arc::new(service.clone())).policy(policy);
    Rig::new(&Arc::new(settings), server)
}

/// What comes, in its time: the engine has threads of its own.
fn hears(rig: &mut Rig<ListService>) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        rig.run();
        let heard = rig.heard();
        if !heard.is_empty() {
            return heard;
        }
        assert!(Instant::now() < end, "no answer: {:?}", rig.connection);
        thread::sleep(Duration::from_millis(1));
    }
}

fn logs_in(rig: &mut Rig<ListService>) -> String {
    rig.ask("USER joe");
    rig.say(format!("PASS {PASSWORD}\r\n"));
    hears(rig)
}

fn quits(rig: &mut Rig<ListService>) -> String {
    rig.heard();
    rig.say("QUIT\r\n");
    hears(rig)
}

#[test]
fn one_session_of_all_nodes_has_a_maildrop_and_the_next_one_after_its_last_reply() {
    let memory = Memory::new();
    let nodes = ["one", "two"].map(|name| node(&memory, options(name)));
    let servers = nodes.each_ref().map(server);
    let service = mail();
    for (here, there) in [(0, 1), (1, 0)] {
        let mut first = client(&servers[here], &service);
        assert!(logs_in(&mut first).starts_with("+OK"));
        for server in &servers {
            let mut second = client(server, &service);
            assert!(logs_in(&mut second).starts_with("-ERR [IN-USE]"));
        }
        assert!(quits(&mut first).starts_with("+OK"));
        let mut second = client(&servers[there], &service);
        assert!(logs_in(&mut second).starts_with("+OK"));
        assert!(quits(&mut second).starts_with("+OK"));
    }
    assert_eq!(servers[0].locks().held(), 0);
}

/// A client that leaves without a word frees it as well.
#[test]
fn a_session_that_breaks_off_frees_its_maildrop() {
    let memory = Memory::new();
    let nodes = ["one", "two"].map(|name| node(&memory, options(name)));
    let servers = nodes.each_ref().map(server);
    let service = mail();
    let mut first = client(&servers[0], &service);
    assert!(logs_in(&mut first).starts_with("+OK"));
    first.reset();
    drop(first);
    let end = Instant::now() + PATIENCE;
    while !logs_in(&mut client(&servers[1], &service)).starts_with("+OK") {
        assert!(Instant::now() < end);
    }
}

#[test]
fn readers_need_no_other_node() {
    let memory = Memory::new();
    let nodes = ["one", "two"].map(|name| node(&memory, options(name)));
    let servers = nodes.each_ref().map(server);
    let mut service = mail();
    service.mood = Mood::ReadOnly;
    let mut readers = servers.each_ref().map(|server| client(server, &service));
    for reader in &mut readers {
        let heard = logs_in(reader);
        assert!(heard.starts_with("+OK"), "{heard}");
    }
    assert_eq!(nodes[0].handle().figures().held, 0);
}

#[test]
fn a_node_that_leaves_frees_what_it_held() {
    let memory = Memory::new();
    let (one, two) = (node(&memory, options("one")), node(&memory, options("two")));
    let service = mail();
    let mut first = client(&server(&one), &service);
    assert!(logs_in(&mut first).starts_with("+OK"));
    one.leave().unwrap();
    assert!(logs_in(&mut client(&server(&two), &service)).starts_with("+OK"));
}
