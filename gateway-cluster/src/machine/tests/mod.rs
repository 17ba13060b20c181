//! Nodes and an engine in a world of their own, where time, the network and the engine do what a test says.

mod check;
mod pace;
mod steps;
mod world;
