# File: modules/application/workers/data_processing_worker.py
from typing import Any, Dict
from flaskiq import Worker
from flaskiq import Logger

class DataProcessingWorker(Worker):
    queue = "default"
    max_retries = 3
    
    @classmethod
    def perform(cls, user_id: int, processing_options: Dict[str, Any]) -> Dict[str, Any]:
        Logger.info(message=f"Starting data processing for user {user_id}")
        
        try:
            # Simulate data processing
            processed_data = {
                "user_id": user_id,
                "status": "completed",
                "processed_at": "2024-01-01T00:00:00Z",
                "options": processing_options
            }
            
            Logger.info(message=f"Data processing completed for user {user_id}")
            return processed_data
            
        except Exception as e:
            Logger.error(message=f"Data processing failed for user {user_id}: {e}")
            raise
