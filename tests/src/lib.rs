//! Host tools and tests.
