from flaskiq import Logger, Worker
from records import is_already_processed, mark_as_processed, process_record

class IdempotentWorker(Worker):
    @classmethod
    def perform(cls, record_id: int):
        # Check if already processed
        if is_already_processed(record_id):
            Logger.info(message=f"Record {record_id} already processed, skipping")
            return
            
        # Process record
        process_record(record_id)
        
        # Mark as processed
        mark_as_processed(record_id)
