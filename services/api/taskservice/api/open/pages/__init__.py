"""Pages for people: rendered here, from templates that load nothing, so that they work offline and run no script."""
