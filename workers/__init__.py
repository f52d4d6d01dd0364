"""The Workers of the reference application; `WorkerRegistry.initialize()` finds them all."""
