from flaskiq import Worker
from flaskiq import Logger

class MyBackgroundWorker(Worker):
    # Worker configuration
    queue = "default"                    # Queue assignment
    max_retries = 3                     # Retry failed jobs up to 3 times
    retry_backoff = True                # Use exponential backoff
    retry_backoff_max = 600             # Max 10 minutes between retries
    cron_schedule = "0 2 * * *"         # Optional: run daily at 2 AM
    
    @classmethod
    def perform(cls, user_id: int, data: dict) -> None:
        """
        Main job logic. This method is called when the job executes.
        
        Args:
            user_id: ID of the user to process
            data: Additional data for processing
        """
        try:
            # Your job logic here
            Logger.info(message=f"Processing user {user_id}")
            # ... processing logic ...
            Logger.info(message=f"Completed processing user {user_id}")
        except Exception as e:
            Logger.error(message=f"Failed to process user {user_id}: {e}")
            raise  # Re-raise to trigger retry mechanism
