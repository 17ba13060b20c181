//! Options that can grow are not written as literals by other crates: they have a setter for each field.

/// Gives these fields of a type a setter each.
macro_rules! setters {
    ($options:ident: $($name:ident: $kind:ty,)*) => {
        impl $options {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self#structfield.", stringify!($name), ").")]
                #[must_use]
                pub fn $name(mut self, $name: $kind) -> Self {
                    self.$name = $name;
                    self
                }
            )*
        }
    };
}
