//! trailctl, the operators' command line.
