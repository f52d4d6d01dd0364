from workers.health_check_worker import HealthCheckWorker

# Manual execution
HealthCheckWorker.perform_async()

# Automatic execution via cron (every 10 minutes)
# No code needed - runs automatically when beat scheduler is active
