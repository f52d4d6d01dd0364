# In server.py
from flaskiq import WorkerRegistry

# Initialize worker registry (discovers all workers)
WorkerRegistry.initialize()
