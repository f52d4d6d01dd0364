# In tests/modules/application/test_my_worker.py
import pytest
from workers.my_worker import MyWorker

class TestMyWorker:
    def test_perform_success(self):
        # Test successful execution
        result = MyWorker.perform(test_data="valid")
        assert result["status"] == "success"
    
    def test_perform_failure(self):
        # Test error handling
        with pytest.raises(ValueError):
            MyWorker.perform(test_data="invalid")
