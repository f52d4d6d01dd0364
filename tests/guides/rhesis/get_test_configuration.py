from uuid import UUID

from flaskiq import BaseTask, with_tenant_context
from rhesis.backend.app import crud
from rhesis.backend.worker import app


@app.task(base=BaseTask, name="rhesis.backend.tasks.get_test_configuration")
@with_tenant_context
def get_test_configuration(test_configuration_id: str, db=None):
    """
    Get a test configuration with proper tenant context.
    
    The @with_tenant_context decorator automatically:
    1. Creates a database session
    2. Sets the tenant context from task headers
    3. Passes the session to the function
    4. Closes the session when done
    """
    # Convert string ID to UUID
    config_id = UUID(test_configuration_id)
    
    # Use existing crud functions with proper tenant context
    test_config = crud.get_test_configuration(db, test_configuration_id=config_id)
    
    return {
        "found": test_config is not None,
        "id": str(test_config.id) if test_config else None
    }
