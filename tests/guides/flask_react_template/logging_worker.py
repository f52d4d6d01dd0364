from flaskiq import Worker
from flaskiq import Logger

class MyWorker(Worker):
    @classmethod
    def perform(cls, data):
        Logger.info(message="Starting job processing")
        # ... job logic ...
        Logger.info(message="Job completed successfully")
