from workers.my_background_worker import MyBackgroundWorker
from datetime import datetime, timedelta

# Schedule job for specific time
run_time = datetime.now() + timedelta(hours=2)
result = MyBackgroundWorker.perform_at(run_time, user_id=123, data={"key": "value"})

# Schedule job with delay
result = MyBackgroundWorker.perform_in(
    delay_seconds=300,  # 5 minutes
    user_id=123, 
    data={"key": "value"}
)
