from flaskiq import Logger, Worker
from records import SpecificException

class MyWorker(Worker):
    @classmethod
    def perform(cls, data):
        try:
            # Job logic here
            pass
        except SpecificException as e:
            Logger.error(message=f"Specific error: {e}")
            # Don't re-raise if you want to mark job as completed
        except Exception as e:
            Logger.error(message=f"Unexpected error: {e}")
            raise  # Re-raise to trigger retry mechanism
