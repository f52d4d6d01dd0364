"""The doctor: looks at the broker, the workers and the settings of an app, and mends nothing."""
