task_queues = {
    "critical": {"exchange": "critical", "routing_key": "critical"},
    "default": {"exchange": "default", "routing_key": "default"}, 
    "low": {"exchange": "low", "routing_key": "low"},
}
