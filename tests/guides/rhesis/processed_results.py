# Handle different result formats from chord execution
processed_results = []
if results:
    for result in results:
        if result is None:
            processed_results.append(None)
        elif isinstance(result, list) and len(result) == 2:
            # Handle [[task_id, result], error] format from failed chord tasks
            task_result = result[1] if result[1] is not None else None
            processed_results.append(task_result)
        else:
            processed_results.append(result)

# Check for failed tasks and count them
failed_tasks = sum(1 for result in processed_results 
                  if result is None or 
                  (isinstance(result, dict) and result.get("status") == "failed"))
