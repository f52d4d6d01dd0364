from flaskiq import Worker
from records import process_chunk

class ResourceAwareWorker(Worker):
    @classmethod
    def perform(cls, large_dataset):
        # Process in chunks to avoid memory issues
        chunk_size = 1000
        for i in range(0, len(large_dataset), chunk_size):
            chunk = large_dataset[i:i + chunk_size]
            process_chunk(chunk)
            
            # Optional: yield control between chunks
            import time
            time.sleep(0.1)
