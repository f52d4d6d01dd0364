from uuid import UUID

from flask import Blueprint

from rhesis.backend.app.auth import require_current_user_or_token
from rhesis.backend.tasks import task_launcher, execute_test_configuration

router = Blueprint("test_configurations", __name__, url_prefix="/test_configurations")


@router.post("/<uuid:test_configuration_id>/execute")
def execute_test_configuration_endpoint(test_configuration_id: UUID):
    current_user = require_current_user_or_token()
    # Schedule the task with automatic context handling
    result = task_launcher(
        execute_test_configuration, 
        str(test_configuration_id),
        current_user=current_user
    )
    
    # Return the task ID for checking status later
    return {"task_id": result.id}
