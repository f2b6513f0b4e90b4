//! fathom
fn main(){}
