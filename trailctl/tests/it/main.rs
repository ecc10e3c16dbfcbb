//! trailctl as a process, against the real test servers.

mod accesses;
mod cli;
mod database;
mod doctor;
mod end_to_end;
mod produce;
mod running;
mod stats;
mod stream;
mod time_machine;
