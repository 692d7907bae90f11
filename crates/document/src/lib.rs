//! YAML as a tree with places, and diagnostics with excerpt and did-you-mean. Pure.
