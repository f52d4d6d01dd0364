# File: modules/application/workers/health_check_worker.py
from typing import Any
import requests
from flaskiq import Worker
from flaskiq import Logger

class HealthCheckWorker(Worker):
    queue = "default"
    max_retries = 1
    cron_schedule = "*/10 * * * *"  # Every 10 minutes
    
    @classmethod
    def perform(cls, *args: Any, **kwargs: Any) -> None:
        try:
            res = requests.get("http://localhost:8080/api/", timeout=3)
            if res.status_code == 200:
                Logger.info(message="Backend is healthy")
            else:
                Logger.error(message=f"Backend is unhealthy: status {res.status_code}")
        except Exception as e:
            Logger.error(message=f"Backend is unhealthy: {e}")
